//! A problem as a page: what, why, and what to do.

use axum::extract::Request;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use maud::html;

use crate::vmdb::VmdbError;
use crate::web::access::is_a_visit;
use crate::web::pages::shell;
use crate::web::pages::shell::icon;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;
use crate::web::problem::Problem;

/// A [`Problem`] that a person sees.
#[derive(Debug)]
pub(crate) struct PageProblem(pub(crate) Problem);

impl From<Problem> for PageProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<VmdbError> for PageProblem {
    fn from(error: VmdbError) -> Self {
        Self(Problem::from(error))
    }
}

/// A problem in the form that a caller reads: a page for a browser that opened an address, JSON for everybody else.
pub(crate) fn told_to(request: &Request, problem: Problem) -> Response {
    if is_a_visit(request) {
        PageProblem(problem).into_response()
    } else {
        problem.into_response()
    }
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let visitor = Visitor::default();
        let (status, message, help) = (self.0.status(), self.0.message(), self.0.advice());
        let title = status.canonical_reason().unwrap_or("Problem");
        let page = html! {
            (shell::head(title))
            body {
                (maud::PreEscaped(crate::web::assets::SPRITE))
                main #main {
                    div.pagehead { h1 { (title) } }
                    div."note fail-note" {
                        (icon("g-failed", "fail"))
                        div {
                            p { strong { (words::foreign(message)) } }
                            @if !help.is_empty() { p { (words::foreign(help)) } }
                        }
                        div.acts { a."btn small" href="/" { "To the timeline" } }
                    }
                }
            }
        };
        let shown = shell::html_answer(&shell::framed(&visitor, &page));
        // Its status and headers, such as when to come again.
        let (parts, _json) = self.0.into_response().into_parts();
        let (mut head, body) = shown.into_parts();
        head.status = parts.status;
        for (name, value) in parts.headers {
            if let Some(name) = name.filter(|name| !head.headers.contains_key(name)) {
                head.headers.insert(name, value);
            }
        }
        head.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(head, body)
    }
}
