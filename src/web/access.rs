//! Who may call: whoever shows the token, or without a token whoever is on this machine.
//!
//! Without a token the `Host` and `Origin` headers have to name this machine too, so that no web page that
//! somebody opens here can talk to us under a name of its own (DNS rebinding). People show the token once and a
//! session from then on; what a browser says about where a request began keeps other sites from using either.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::web::Shared;
use crate::web::pages::problem::told_to;
use crate::web::pages::sign_in;
use crate::web::pages::visitor::cookie;
use crate::web::problem::Problem;
use crate::web::server::BindError;
use crate::web::session;
use crate::web::signature::Secrets;

/// What callers have to show; kept as a digest, so that neither a log nor a timing tells it.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of this text; none where the text is blank.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(digest(text.trim())))
    }

    fn is(&self, shown: &str) -> bool {
        self.0.ct_eq(&digest(shown)).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(********)")
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Who is let in.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Callers on this machine that call it by a name of its own.
    ThisMachine,
    /// Callers that show the token.
    Token(Token),
}

impl Access {
    /// Decides by the address and the token.
    ///
    /// # Errors
    /// When others could reach the address and there is no token.
    pub(crate) fn new(listen: SocketAddr, token: Option<Token>) -> Result<Self, BindError> {
        match token {
            Some(token) => Ok(Self::Token(token)),
            None if listen.ip().to_canonical().is_loopback() => Ok(Self::ThisMachine),
            None => Err(BindError::Open { listen }),
        }
    }

    /// Whether callers have to show something.
    pub(crate) fn needs_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// Whether this is the token; where none is needed, there is none that could be right.
    pub(crate) fn is_token(&self, shown: &str) -> bool {
        match self {
            Self::Token(token) => token.is(shown.trim()),
            Self::ThisMachine => false,
        }
    }

    /// Whether this caller is let in.
    ///
    /// # Errors
    /// When it is not, with the answer.
    pub(crate) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        match self {
            Self::Token(token) if shown_token(headers, uri).is_some_and(|shown| token.is(&shown)) => Ok(()),
            Self::Token(_) => Err(Problem::new(StatusCode::UNAUTHORIZED, "a valid token is needed")
                .help("send it as `Authorization: Bearer TOKEN`")),
            Self::ThisMachine => check_names(headers, uri),
        }
    }
}

/// As what somebody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// By the token.
    Token,
    /// By a session.
    Session,
    /// As somebody on this machine.
    ThisMachine,
    /// Not at all yet: what is sent has to be signed.
    Signer,
}

/// Lets a request pass, or answers why not; people are sent to where they can sign in.
pub(crate) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let secrets = shared.signatures.take();
    match shared.let_in(&request, &secrets) {
        Ok(caller) => {
            let extensions = request.extensions_mut();
            extensions.insert(secrets);
            extensions.insert(caller);
            next.run(request).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED && is_a_visit(&request) => {
            let to = request.uri().path_and_query().map_or("/", |to| to.as_str());
            Redirect::to(&sign_in::address(to)).into_response()
        }
        Err(problem) => told_to(&request, problem),
    }
}

/// Whether somebody wants to see a page.
pub(crate) fn is_a_visit(request: &Request) -> bool {
    let path = request.uri().path();
    let is_page = !["/api", "/events/", "/metrics"]
        .iter()
        .any(|other| path.starts_with(other))
        || (path.starts_with("/events/") && request.method() == Method::GET);
    let accept = request.headers().get(header::ACCEPT);
    let wants_html =
        accept.is_some_and(|accept| accept.as_bytes().windows(9).any(|part| part == b"text/html"));
    request.method() == Method::GET && is_page && wants_html
}

/// Whether a request that changes something was begun on a page of this place: other sites can have a browser send
/// one too, and the browser says so.
///
/// # Errors
/// When it was begun elsewhere, or nothing says where.
pub(crate) fn is_of_this_site(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(&header::ORIGIN).and_then(|origin| origin.split_once("://"));
    let is_ours = match (text(&FETCH_SITE), origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some((_, authority))) => {
            text(&header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
        }
        (None, None) => false,
    };
    if is_ours {
        return Ok(());
    }
    let message = "this was not asked for on a page of this place";
    Err(Problem::new(StatusCode::FORBIDDEN, message)
        .help("open the page here and press its button, or send the token"))
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Shared {
    /// Whether a request may pass. Events that have to be signed need no token: the signature is checked before
    /// anything of them is read (intake).
    fn let_in(&self, request: &Request, secrets: &Secrets) -> Result<Caller, Problem> {
        let (headers, uri) = (request.headers(), request.uri());
        let is_signed_for = request.method() == Method::POST && secrets.are_needed_at(uri.path());
        let changes = !request.method().is_safe();
        if is_signed_for && matches!(self.access, Access::Token(_)) {
            return Ok(Caller::Signer);
        }
        let refused = match (self.access.check(headers, uri), &self.access) {
            (Ok(()), Access::Token(_)) => return Ok(Caller::Token),
            (Ok(()), Access::ThisMachine) => {
                // A page of this machine under another port is another site; programs say nothing of sites.
                if changes && uri.path().starts_with("/api/") && headers.contains_key(FETCH_SITE) {
                    is_of_this_site(headers)?;
                }
                return Ok(Caller::ThisMachine);
            }
            (Err(problem), _) => problem,
        };
        if !self.has_session(headers) {
            return Err(refused);
        }
        if changes {
            is_of_this_site(headers)?;
        }
        Ok(Caller::Session)
    }

    /// Whether a browser shows a session that is open. A token that is wrong is not made good by one.
    fn has_session(&self, headers: &HeaderMap) -> bool {
        let shown = cookie(headers, session::COOKIE);
        !headers.contains_key(header::AUTHORIZATION)
            && shown.is_some_and(|shown| self.sessions.is_open(shown, self.services.clock.now()))
    }
}

/// The one token of a request; two headers are as good as none.
fn shown_token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    match (shown.next(), shown.next()) {
        (Some(value), None) => {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
        }
        // Senders of web hooks that cannot set a header (CloudEvents web hook 3.2).
        (None, _) => {
            let pairs = uri.query()?.split('&');
            let mut tokens = pairs.filter_map(|pair| pair.strip_prefix("access_token="));
            tokens.next().map(ToOwned::to_owned)
        }
        (Some(_), Some(_)) => None,
    }
}

fn check_names(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _none_or_many => None,
    };
    let authority = uri.authority().map(|authority| authority.as_str());
    if !host.is_some_and(is_this_machine) || !authority.is_none_or(is_this_machine) {
        let message = "this place is called by a name that is not its own";
        let help = "call it as localhost or 127.0.0.1, or configure a token";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, message).help(help));
    }
    for origin in headers.get_all(header::ORIGIN) {
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if !authority.is_some_and(|(_, authority)| is_this_machine(authority)) {
            let message = "a page of another origin may not call this place";
            return Err(Problem::new(StatusCode::FORBIDDEN, message).help("configure a token"));
        }
    }
    Ok(())
}

/// Whether an authority, `host:port` or `[address]:port`, names this machine.
fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((host, rest)) if rest.is_empty() || rest.starts_with(':') => host,
            _unclosed => return false,
        },
        None => authority.split_once(':').map_or(authority, |(host, _port)| host),
    };
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for (authority, expected) in [
            ("localhost", true),
            ("LOCALHOST:80", true),
            ("127.0.0.1:4000", true),
            ("127.9.9.9", true),
            ("[::1]:4000", true),
            ("[::1]", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("[::1", false),
            ("[::1]evil", false),
            ("", false),
        ] {
            assert_eq!(is_this_machine(authority), expected, "{authority}");
        }
    }

    #[test]
    fn a_blank_token_is_none() {
        assert!(Token::new(" \n").is_none());
        assert!(Token::new("secret\n").unwrap().is("secret"));
    }
}
