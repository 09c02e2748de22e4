//! The worst thing first, as a sentence.

use maud::Markup;
use maud::html;

use crate::web::managers::ManagerDocument;
use crate::web::pages::operations::Seen;
use crate::web::pages::words;

pub(crate) fn draw(seen: &Seen) -> Markup {
    let facts = facts(seen);
    let Some((first, rest)) = facts.split_first() else {
        return html! { "Everything keeps up." };
    };
    html! {
        strong { (first) }
        @for (place, fact) in rest.iter().enumerate() {
            (if place + 1 == rest.len() { " and " } else { ", " }) (fact)
        }
        ". Everything else keeps up."
    }
}

/// What is not as it should be, the worst first.
fn facts(seen: &Seen) -> Vec<String> {
    let mut facts = Vec::new();
    if let Err(error) = &seen.health {
        facts.push(format!("The database takes nothing: {error}"));
    }
    let broken = seen.managers.iter().filter(|manager| is_broken(manager));
    for manager in broken {
        facts.push(format!("The stream of {} broke off", manager.ems.name));
    }
    if seen.reload.refused.is_some() {
        facts.push("A change of the rules is refused".to_owned());
    }
    if seen.reload.settings_refused.is_some() {
        facts.push("A change of the settings is refused".to_owned());
    }
    let held = seen.operations.held.len() as u64;
    if 0 < held {
        let verb = if held == 1 { "stands" } else { "stand" };
        facts.push(format!("{} {verb} still", words::counted(held, "lane", "lanes")));
    }
    let dead = seen.dead();
    if 0 < dead {
        let verb = if dead == 1 { "waits" } else { "wait" };
        facts.push(format!(
            "{} {verb} for you",
            words::counted(dead, "dead letter", "dead letters")
        ));
    }
    if seen.disk.is_low {
        facts.push(format!("The disk has {} left", words::bytes(seen.disk.free)));
    }
    // All but the first go on in the middle of a sentence.
    let later = facts.iter_mut().skip(1);
    for fact in later {
        for (upper, lower) in [("The ", "the "), ("A ", "a ")] {
            if let Some(rest) = fact.strip_prefix(upper) {
                *fact = format!("{lower}{rest}");
            }
        }
    }
    facts
}

/// Whether a manager's catcher does not run although it should.
pub(crate) fn is_broken(manager: &ManagerDocument) -> bool {
    let catcher = manager.catcher.as_ref();
    catcher.is_some_and(|catcher| catcher.wanted && matches!(&*catcher.state, "backing_off" | "unknown"))
}
