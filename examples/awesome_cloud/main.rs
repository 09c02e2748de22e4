//! A simulated AWESOME_CLOUD by itself: `cargo run --example awesome_cloud -- --listen 127.0.0.1:8100 --rate 2`.

#[expect(dead_code, reason = "tests and the demo use the rest")]
mod cloud;

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use switchboard::model::clock::Clock;

use crate::cloud::AwesomeCloud;
use crate::cloud::Beginning;

/// A simulated AWESOME_CLOUD: objects at /vms /volumes /networks /hosts, events at /events?since=N, commands at
/// POST /commands ({"do": "stop", "vm": "vm-6"}), PUT /rate ({"per_second": 5}), PUT /faults ({"error_rate": 0.1}).
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8100")]
    listen: SocketAddr,
    /// Changes a second.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// VMs to begin with.
    #[arg(long, default_value_t = 12)]
    vms: usize,
    /// What everything by chance follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What callers have to present as a bearer token.
    #[arg(long)]
    token: Option<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let clock = Clock::System;
    let cloud = AwesomeCloud::start(Beginning {
        listen: options.listen,
        seed: options.seed,
        vms: options.vms,
        token: options.token,
        now: Arc::new(move || clock.now()),
    })
    .await?;
    cloud.set_rate(options.rate);
    #[expect(clippy::print_stdout, reason = "it tells where it is")]
    {
        println!("AWESOME_CLOUD is at {}", cloud.url());
    }
    tokio::signal::ctrl_c().await
}
