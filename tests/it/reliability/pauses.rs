//! Statement 27, at whoever refreshes: the pauses between the tries grow, by the clock of the test.

use switchboard::appliance::ApplianceConfig;
use switchboard::model::clock::Clock;
use switchboard::model::clock::SignedDuration;
use switchboard::model::ems::EmsId;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::RefreshPace;
use switchboard::vmdb::RefreshRequest;
use switchboard::vmdb::RefreshState;

use crate::support::cloud::Cloud;
use crate::support::cloud::Trick;
use crate::support::noon;
use crate::support::project::Project;
use crate::support::served::Served;
use crate::support::told_rules::until;
use crate::support::told_rules::vm;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn s27_a_refresh_that_fails_comes_again_after_pauses_that_double_up_to_ten_minutes() {
    let cloud = Cloud::start();
    cloud.habit(Some(Trick::Status(403, "")));
    let clock = Clock::manual(noon());
    let same = clock.clone();
    let served = Served::start(Project::shipped(), |config| ApplianceConfig {
        clock: same,
        ..config
    })
    .unwrap();
    let vmdb = served.vmdb();
    let ems = vmdb
        .ems_add(NewEms {
            name: "down".to_owned(),
            provider: "awesome_cloud".to_owned(),
            url: Some(cloud.url()),
            credentials: None,
        })
        .wait()
        .unwrap();
    let ask = |ems_id: EmsId| {
        let request = RefreshRequest {
            ems_id,
            targets: vec![vm("vm-1"), vm("vm-2")],
            full: None,
        };
        vmdb.queue_refresh(&request).wait().unwrap()
    };
    let without_address = vmdb.ems_by_name("my_cloud").unwrap().unwrap();
    let first = ask(ems.id);
    let state = || vmdb.refresh_show(first).unwrap().unwrap().refresh;
    let is_ready = || {
        let pace = RefreshPace {
            longest_pause: SignedDuration::from_mins(10),
            gather: SignedDuration::ZERO,
            gather_most: SignedDuration::ZERO,
        };
        vmdb.refresh_take(pace, |other| other.id == ems.id).unwrap()
    };
    // What is asked for is gathered for a while before it runs.
    clock.advance(SignedDuration::from_mins(1));
    let mut pauses = Vec::new();
    for attempt in 1..=10 {
        until(vmdb, || {
            (state().attempts, state().state) == (attempt, RefreshState::Waiting)
        });
        let pause = state().due.unwrap().duration_since(clock.now());
        pauses.push(pause.as_secs());
        // Not before its time.
        clock.advance(pause - SECOND);
        let early = is_ready();
        assert!(early.is_none(), "{early:?}");
        clock.advance(SECOND);
        // Whoever refreshes looks now and then; that something is asked for has it look at once. This manager has no
        // address that could be read.
        ask(without_address.id);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
    until(vmdb, || state().attempts == 11);
    assert_eq!(state().targets, 2);
}
