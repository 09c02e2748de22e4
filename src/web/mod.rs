//! The web: the front door for events, health and figures, and the API. Knows no rules and no handler.
//!
//! [`Web::bind`] takes the address, [`Web::serve`] answers until it is told to stop.

mod access;
mod actions;
mod api;
mod assets;
mod automate;
mod body;
pub(crate) mod event_document;
mod event_story;
#[cfg(feature = "crash-points")]
mod half_sent;
mod headers;
mod health;
mod history;
mod intake;
mod inventory;
mod limits;
mod live;
pub(crate) mod managers;
mod mask;
mod metrics;
mod openapi;
mod pages;
mod patient;
mod problem;
mod refusals;
mod rules;
mod server;
mod session;
mod signature;
mod slots;
mod today;
mod work;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::Method;
use axum::http::StatusCode;
use axum::middleware;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::watch;

pub use access::Token;
pub use health::Check;
pub use health::Condition;
pub use limits::Limits;
pub use metrics::Figures;
pub use rules::Rules;
pub use server::BindError;
pub use signature::Signatures;

use crate::catcher::Nudges;
use crate::catcher::PushStream;
use crate::model::clock::Clock;
use crate::model::metric::Sample;
use crate::settings::ActiveSettings;
use crate::vmdb::Vmdb;
use crate::web::access::Access;
use crate::web::live::LiveFeed;
use crate::web::metrics::RequestCounts;
use crate::web::problem::Problem;
use crate::web::refusals::Reason;
use crate::web::refusals::Refusals;
use crate::web::server::Server;
use crate::web::session::Sessions;

/// Where senders bring events.
const EVENTS: &str = "/events/{ems}";

/// Where the web listens, and whom it lets in.
#[derive(Debug)]
pub struct WebConfig {
    /// The address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What callers have to show. Without it only this machine is served.
    pub token: Option<Token>,
    /// Origins that may register this place as a web hook.
    pub webhook_origins: Vec<String>,
    /// Whose events have to be signed.
    pub signatures: Signatures,
    /// What one caller may cost.
    pub limits: Limits,
}

/// A stage's figures, taken when somebody asks.
pub type Samples = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// What the web shows and serves.
pub struct Services {
    /// The database.
    pub vmdb: Vmdb,
    /// Where pushed messages go.
    pub push: PushStream,
    /// The settings in force.
    pub settings: ActiveSettings,
    /// Who has catchers try now.
    pub nudges: Nudges,
    /// The rules in force.
    pub rules: Arc<dyn Rules>,
    /// What `/readyz` looks at.
    pub checks: Vec<Check>,
    /// What `/metrics` shows.
    pub samples: Vec<Samples>,
    /// The time.
    pub clock: Clock,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Services({:?}, {:?})", self.vmdb, self.checks)
    }
}

/// What every request sees.
#[derive(Debug)]
pub(crate) struct Shared {
    access: Access,
    webhook_origins: Vec<String>,
    signatures: Signatures,
    limits: Limits,
    services: Services,
    requests: RequestCounts,
    refusals: Refusals,
    live: LiveFeed,
    sessions: Sessions,
}

/// The web, listening.
#[derive(Debug)]
pub struct Web {
    server: Server,
    router: Router,
    shared: Arc<Shared>,
}

impl Web {
    /// Takes the address; nothing is answered yet.
    ///
    /// # Errors
    /// When the address is in use, or open to others and there is no token.
    pub async fn bind(config: WebConfig, services: Services) -> Result<Self, BindError> {
        let access = Access::new(config.listen, config.token)?;
        let server = Server::bind(config.listen, config.limits.clone()).await?;
        let shared = Shared {
            access,
            webhook_origins: config.webhook_origins,
            signatures: config.signatures,
            limits: config.limits,
            services,
            requests: RequestCounts::default(),
            refusals: Refusals::default(),
            live: LiveFeed::default(),
            sessions: Sessions::default(),
        };
        let shared = Arc::new(shared);
        Ok(Self {
            server,
            router: router(shared.clone()),
            shared,
        })
    }

    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The figures of every stage.
    pub fn figures(&self) -> Figures {
        Figures::new(&self.shared)
    }

    /// Answers until `stop` turns true, then lets requests under way come to their end.
    pub async fn serve(self, stop: watch::Receiver<bool>) {
        let Shared {
            live,
            refusals,
            services,
            ..
        } = &*self.shared;
        let vmdb = &services.vmdb;
        let (following, counting) = (live.run(vmdb, stop.clone()), refusals.run(vmdb, stop.clone()));
        // Those who follow along are sent away when it stops; the others come to their end.
        tokio::join!(self.server.serve(self.router, stop), following, counting);
        refusals.write(vmdb).await;
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route("/events/{ems}", post(intake::post).options(intake::handshake))
        .route("/metrics", get(metrics::show))
        .route("/api/openapi.json", get(openapi::show))
        .merge(api::routes())
        .merge(pages::routes())
        .merge(actions::routes())
        .route_layer(middleware::from_fn_with_state(shared.clone(), access::guard));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/assets/{name}", get(assets::asset))
        .merge(pages::open_routes())
        .merge(guarded)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(limits::bound_address))
        .layer(middleware::from_fn(headers::secure))
        .layer(middleware::from_fn_with_state(shared.clone(), count))
        .with_state(shared)
}

async fn nowhere(request: Request) -> Response {
    let problem = Problem::not_found(format!("there is nothing at `{}`", request.uri().path()));
    pages::problem::told_to(&request, problem)
}

async fn wrong_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let message = format!("`{path}` does not know {method}");
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, message).help("the header `Allow` says what it knows");
    pages::problem::told_to(&request, problem)
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let is_sender = request.method() == Method::POST;
    let uri = request.uri().clone();
    let response = next.run(request).await;
    let (route, status) = (
        route.as_ref().map_or("other", MatchedPath::as_str),
        response.status(),
    );
    shared.requests.add(route, status);
    if is_sender && route == EVENTS && status.is_client_error() {
        let reason = response.extensions().get::<Reason>();
        shared.refusals.note(&shared.services.vmdb, &uri, status, reason);
    }
    response
}
