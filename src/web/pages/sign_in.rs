//! Signing in: the token is shown once, the browser shows a session from then on.

use std::sync::Arc;

use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use maud::PreEscaped;
use maud::html;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use crate::web::Shared;
use crate::web::access::is_of_this_site;
use crate::web::assets;
use crate::web::pages::problem::PageProblem;
use crate::web::pages::shell;
use crate::web::pages::shell::icon;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::visitor::cookie;
use crate::web::problem::Problem;
use crate::web::session;
use crate::web::session::SignInError;

/// Where it is.
pub(crate) const PATH: &str = "/sign-in";

/// Where a visitor wanted to go.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    to: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Filled {
    token: String,
    to: Option<String>,
}

/// The address of this page, with the one to go on to.
pub(crate) fn address(to: &str) -> String {
    format!("{PATH}?to={}", utf8_percent_encode(to, NON_ALPHANUMERIC))
}

/// `GET /sign-in`.
pub(crate) async fn show(visitor: Visitor, Query(wanted): Query<Wanted>) -> Response {
    page(&visitor, wanted.to.as_deref().unwrap_or("/"), None)
}

/// `POST /sign-in`.
pub(crate) async fn begin(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Response, PageProblem> {
    let Form(filled) = filled.map_err(|error| Problem::unreadable(error.body_text()))?;
    // Else another site could have a visitor of its own signed in here.
    is_of_this_site(&headers)?;
    let to = local(filled.to.as_deref());
    let now = shared.services.clock.now();
    let begun = shared
        .sessions
        .begin(|| shared.access.is_token(&filled.token), now);
    let session = match begun {
        Ok(session) => session,
        Err(error) => {
            let status = match error {
                SignInError::Wrong => StatusCode::UNAUTHORIZED,
                SignInError::TooMany => StatusCode::TOO_MANY_REQUESTS,
                SignInError::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let mut response = page(&visitor, to, Some(&error.to_string()));
            *response.status_mut() = status;
            if status == StatusCode::TOO_MANY_REQUESTS {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(60));
            }
            return Ok(response);
        }
    };
    Ok(with_cookie(
        Redirect::to(to).into_response(),
        &headers,
        &session,
        session::LIFE.as_secs(),
    ))
}

/// `POST /sign-out`.
pub(crate) async fn end(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    is_of_this_site(&headers)?;
    if let Some(session) = cookie(&headers, session::COOKIE) {
        shared.sessions.end(session);
    }
    Ok(with_cookie(Redirect::to(PATH).into_response(), &headers, "", 0))
}

/// No script reads it, no other site sends it, and where somebody in front of us speaks TLS, nobody sees it.
fn with_cookie(mut response: Response, headers: &HeaderMap, session: &str, seconds: u64) -> Response {
    let is_secure = headers
        .get("x-forwarded-proto")
        .is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        session::COOKIE
    );
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// A page of this place, never one of another.
fn local(to: Option<&str>) -> &str {
    let is_ours = |to: &&str| {
        to.starts_with('/') && !to.starts_with("//") && to.chars().all(|c| !c.is_control() && c != '\\')
    };
    to.filter(is_ours).unwrap_or("/")
}

fn page(visitor: &Visitor, to: &str, problem: Option<&str>) -> Response {
    let page = html! {
        (shell::head("Sign in"))
        body {
            (PreEscaped(assets::SPRITE))
            main #main {
                div.pagehead { div { h1 { "Switchboard" } p.lead { "Sign in with the token of the settings, web.token." } } }
                @if let Some(problem) = problem {
                    div."note fail-note" role="alert" { (icon("g-failed", "fail")) div { p { strong { (problem) } } } }
                }
                form.filters method="post" action=(PATH) {
                    input type="hidden" name="to" value=(local(Some(to)));
                    label.grow {
                        span.sr { "Token" }
                        input type="password" name="token" placeholder="Token" autocomplete="current-password"
                            maxlength="1000" required autofocus;
                    }
                    button."btn primary" { "Sign in" }
                }
            }
        }
    };
    shell::html_answer(&shell::framed(visitor, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_a_page_of_this_place_only() {
        for (to, expected) in [
            ("/rules?q=a b", "/rules?q=a b"),
            ("//evil.example/", "/"),
            ("https://evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(Some(to)), expected, "{to}");
        }
        assert_eq!(address("/events/1?a=b"), "/sign-in?to=%2Fevents%2F1%3Fa%3Db");
    }
}
