//! The frame of every page: head, navigation, keys.

use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Shared;
use crate::web::assets;
use crate::web::pages::keys;
use crate::web::pages::visitor::Visitor;
use crate::web::pages::words;

/// A page of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Timeline,
    Inventory,
    Rules,
    Operations,
}

const PLACES: [(Place, &str, &str); 4] = [
    (Place::Timeline, "/", "Timeline"),
    (Place::Inventory, "/inventory", "Inventory"),
    (Place::Rules, "/rules", "Rules"),
    (Place::Operations, "/operations", "Operations"),
];

const BRAND: PreEscaped<&str> = PreEscaped(
    r#"<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"><circle cx="5" cy="6" r="2.4"/><circle cx="5" cy="18" r="2.4"/><circle cx="19" cy="6" r="2.4"/><circle cx="19" cy="18" r="2.4" fill="currentColor"/><path d="M7.4 6.6C13 8 11 16.6 16.6 17.6"/></svg>"#,
);

/// What the frame of a page says, whatever the page is about.
#[derive(Debug)]
pub(crate) struct Shell {
    /// Who looks.
    pub(crate) visitor: Visitor,
    /// The time of the page.
    pub(crate) now: Timestamp,
    generation: RulesId,
    dead: u64,
    /// Whether there is a session that can be ended.
    can_sign_out: bool,
}

impl Shell {
    /// Looks up what the frame says.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn new(shared: &Shared, vmdb: &Vmdb, visitor: Visitor) -> Result<Self, VmdbError> {
        Ok(Self {
            visitor,
            now: shared.services.clock.now(),
            generation: shared.services.rules.generation(),
            can_sign_out: shared.access.needs_token(),
            dead: vmdb.queue_counts()?.dead + vmdb.outbox_counts()?.dead,
        })
    }

    /// A whole page.
    pub(crate) fn page(&self, title: &str, place: Place, main: &Markup) -> Response {
        let page = html! {
            (head(title))
            body {
                (PreEscaped(assets::SPRITE))
                a.skip href="#main" { "Skip to the content" }
                (self.top(place))
                main #main { (main) }
                (keys::dialog())
            }
        };
        html_answer(&framed(&self.visitor, &page))
    }

    fn top(&self, place: Place) -> Markup {
        let generation = self.generation.to_string();
        html! {
            header.top {
                a.brand href="/" { (BRAND) span { "Switchboard" } }
                nav aria-label="Pages" {
                    @for (one, address, name) in PLACES {
                        a href=(address) aria-current=[(one == place).then_some("page")] {
                            (name)
                            @if one == Place::Operations && 0 < self.dead {
                                span.badge title=(words::counted(self.dead, "dead letter", "dead letters")) {
                                    (words::number(self.dead))
                                }
                            }
                        }
                    }
                }
                div.end {
                    span."wide muted nowrap" {
                        "rules "
                        a.mono href="/rules#reload" title=(generation) { (short_generation(&generation)) }
                    }
                    button."quiet icon" data-do="theme" aria-label="Light or dark" title="Light or dark" { (icon("sun", "")) }
                    button."quiet icon" data-do="help" aria-label="Keys" title="Keys" { "?" }
                    @if self.can_sign_out {
                        form method="post" action="/sign-out" { button."quiet small" { "Sign out" } }
                    }
                }
            }
        }
    }
}

/// The first digits of a generation, enough for people to tell two apart.
pub(crate) fn short_generation(generation: &str) -> &str {
    generation.get(..7).unwrap_or(generation)
}

/// A symbol of the sprite.
pub(crate) fn icon(symbol: &str, class: &str) -> Markup {
    html! { svg class={ "i " (class) } aria-hidden="true" { use href={ "#" (symbol) } {} } }
}

/// The head of a page.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " · Switchboard" }
            link rel="icon" href=(assets::ICON.address());
            link rel="stylesheet" href=(assets::SHEET.address());
            script src=(assets::SCRIPT.address()) {}
        }
    }
}

/// The document around head and body.
pub(crate) fn framed(visitor: &Visitor, page: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[visitor.theme.map(|theme| theme.as_str())] { (page) }
    }
}

/// HTML as an answer.
pub(crate) fn html_answer(page: &Markup) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (headers, page.0.clone()).into_response()
}
