//! Rules change while events flow: every event is saved once, and decided by one whole generation.
//!
//! Each release of the rules carries its word in an instance, in a method and in a module; a decision shows all
//! three. Waits for what is told, never for a time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use switchboard::model::delivery::RulesId;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::QueueFilter;

use crate::support::project::Project;
use crate::support::served::Served;

/// Edits, and how many events are posted around each.
const EDITS: usize = 200;
const EVENTS: usize = 50;
/// Events of one request.
const BATCH: usize = 25;

/// What every release has besides what carries its word.
const SAME: [(&str, &str); 8] = [
    (
        "automate/Site/__domain__.yaml",
        "object: {attributes: {name: Site, priority: 1, enabled: 'true'}}\n",
    ),
    (
        "automate/Site/System/__namespace__.yaml",
        "object: {attributes: {name: System}}\n",
    ),
    (
        "automate/Site/System/Process.class/__class__.yaml",
        "object: {attributes: {name: Process}, schema: [field: {name: rel5, aetype: relationship}]}\n",
    ),
    (
        "automate/Site/System/Process.class/Event.yaml",
        "object: {attributes: {name: Event}, fields: [rel5: {value: '/System/Ticks/${/#event_type}'}]}\n",
    ),
    (
        "automate/Site/System/Ticks.class/__class__.yaml",
        "object:\n  attributes: {name: Ticks}\n  schema:\n  - field: {name: word, aetype: attribute}\n  - field: {name: note, aetype: attribute}\n  - field: {name: meth1, aetype: method}\n",
    ),
    (
        "automate/Site/System/Ticks.class/__methods__/tell.yaml",
        "object: {attributes: {name: tell, location: inline, language: rhai}}\n",
    ),
    (
        "automate/Site/System/Ticks.class/spare.yaml",
        "object: {attributes: {name: spare}}\n",
    ),
    (
        "scripts/awesome_cloud/event_parser.rhai",
        "fn event_to_hash(event, ems_id) { #{ event_type: \"tick\", source: \"TICKS\", ems_ref: event.id } }\n",
    ),
];
const TICK: &str = "live/automate/Site/System/Ticks.class/tick.yaml";
const TELL: &str = "live/automate/Site/System/Ticks.class/__methods__/tell.rhai";

fn tick(word: usize, note: usize) -> String {
    format!(
        "object:\n  attributes: {{name: tick}}\n  fields:\n  - word: {{value: r{word}}}\n  - note: {{value: n{note}}}\n  - meth1: {{value: tell}}\n"
    )
}

fn tell(word: usize) -> String {
    format!(
        "import \"lib/release\" as release;\n\
         let words = evm.object.word + \" r{word} \" + release::word() + \" \" + evm.object.note;\n\
         let t = targets();\nt.add(\"vms\", words);\nevm.refresh(t);\n"
    )
}

/// The folder of a project with one release, reached through the link `live`.
struct Rules {
    root: PathBuf,
    /// Of the release that is live.
    word: usize,
    /// How often files outside of releases were made, to name them.
    made: usize,
}

impl Rules {
    fn release(&mut self, word: usize) {
        let folder = self.root.join(format!("releases/{word}"));
        let carried = [
            ("automate/Site/System/Ticks.class/tick.yaml", tick(word, 0)),
            (
                "automate/Site/System/Ticks.class/__methods__/tell.rhai",
                tell(word),
            ),
            (
                "scripts/lib/release.rhai",
                format!("fn word() {{ \"r{word}\" }}\n"),
            ),
        ];
        let same = SAME.map(|(name, text)| (name, text.to_owned()));
        for (name, text) in same.into_iter().chain(carried) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.made += 1;
        let link = self.root.join(format!(".live{}", self.made));
        symlink(&folder, &link).unwrap();
        fs::rename(link, self.root.join("live")).unwrap();
        self.word = word;
    }

    /// Replaces a file as editors do: another one, moved over it.
    fn replace(&mut self, name: &str, text: &str) {
        self.made += 1;
        let path = self.root.join(name);
        let new = path.with_file_name(format!(".{}.tmp", self.made));
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        let folder = self.root.join("live/automate/Site/System/Ticks.class");
        fs::rename(folder.join(from), folder.join(to)).unwrap();
    }

    fn roots(&self) -> Vec<Root> {
        let root = |kind, name| Root {
            kind,
            folder: self.root.join("live").join(name),
            required: true,
        };
        vec![
            root(RootKind::Automate, "automate"),
            root(RootKind::Scripts, "scripts"),
        ]
    }

    /// The generation that the files are now.
    fn id(&self) -> RulesId {
        let tree = SourceTree::from_disk(&self.roots()).unwrap();
        Switchboard::load(&tree, None).switchboard.id()
    }
}

/// Makes edit number `number`; says whether what is on disk is good.
fn edit(rules: &mut Rules, number: usize) -> bool {
    let word = rules.word;
    match number % 8 {
        0 => fs::write(rules.root.join(TICK), tick(word, number)).unwrap(),
        1 => rules.replace(TICK, &tick(word, number)),
        2 => {
            let broken = ["let x = ;", "fn (", "import \"lib/nowhere\" as x; let"][number / 8 % 3];
            fs::write(rules.root.join(TELL), broken).unwrap();
            return false;
        }
        3 => rules.replace(TELL, &tell(word)),
        4 => rules.rename("spare.yaml", "other.yaml"),
        5 => rules.release(number),
        6 => {
            rules.replace(TICK, "object: {attributes: {name: [");
            return false;
        }
        _mended => fs::write(rules.root.join(TICK), tick(word, number)).unwrap(),
    }
    true
}

/// Statement 33, by eight styles of changing files, over HTTP: `replay` comes later.
#[test]
fn s33_every_event_is_decided_by_one_whole_generation() {
    let project = Project::new("");
    let mut rules = Rules {
        root: project.path(""),
        word: 0,
        made: 0,
    };
    rules.release(0);
    let roots = rules.roots();
    let served = Served::start(project, |config| switchboard::appliance::ApplianceConfig {
        roots,
        ..config
    });
    let served = served.unwrap();
    let mut took = Vec::new();
    thread::scope(|scope| {
        let (go, goes) = mpsc::channel();
        let served = &served;
        let poster = scope.spawn(move || {
            for (turn, ()) in goes.into_iter().enumerate() {
                let ids = (0..BATCH).map(|index| format!("{{\"id\": \"{turn}.{index}\"}}"));
                let body = format!("[{}]", ids.collect::<Vec<_>>().join(", "));
                assert_eq!(served.post(&body).status, 202);
            }
        });
        for number in 0..EDITS {
            (0..EVENTS / BATCH).for_each(|_| go.send(()).unwrap());
            let is_good = edit(&mut rules, number);
            let written = Instant::now();
            let state = |answer: &crate::support::served::Answer| answer.json()["rules"].clone();
            if is_good {
                let expected = serde_json::to_value(rules.id()).unwrap();
                served.until("/readyz", |answer| {
                    let state = state(answer);
                    state["generation"] == expected && state["state"] == "current"
                });
                took.push(written.elapsed());
            } else {
                let before = state(&served.get("/readyz"))["generation"].clone();
                let told = served.until("/readyz", |answer| state(answer)["state"] == "kept");
                assert_eq!(state(&told)["generation"], before);
                assert!(
                    state(&told)["refused"]["errors"][0]["message"].is_string(),
                    "{told:?}"
                );
                let metrics = served.get("/metrics").body;
                assert!(metrics.contains("\nswitchboard_rules_refused 1"), "{metrics}");
            }
        }
        drop(go);
        poster.join().unwrap();
    });
    tell_times(took);
    let all = EDITS * EVENTS;
    served.until("/healthz", |_| {
        served.vmdb().event_count().unwrap() == u64::try_from(all).unwrap()
    });
    check_events(&served, all);
}

fn tell_times(mut took: Vec<Duration>) {
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100];
    println!(
        "from the last write to the rules in force, {} edits: median {:?}, 90 of 100 {:?}, longest {:?}",
        took.len(),
        at(50),
        at(90),
        at(100)
    );
}

/// All are there once, and what each decision shows fits together and with its generation.
fn check_events(served: &Served, all: usize) {
    assert_eq!(
        served.vmdb().queue_list(&QueueFilter::default()).unwrap().len(),
        0
    );
    let events = served.vmdb().events_list(&EventFilter::default()).unwrap();
    let ids: BTreeSet<&str> = events
        .iter()
        .map(|stored| stored.event.hash.ems_ref.as_deref().unwrap())
        .collect();
    assert_eq!((events.len(), ids.len()), (all, all));
    let mut of_generation: BTreeMap<u128, String> = BTreeMap::new();
    for stored in &events {
        let shown = served
            .vmdb()
            .event_show(stored.event.id.unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(shown.deliveries.len(), 1);
        let delivery = &shown.deliveries[0];
        assert_eq!((&*delivery.state, &delivery.errors[..]), ("delivered", &[][..]));
        let words = delivery.targets[0]["manager_ref"]["ems_ref"].as_str().unwrap();
        let parts: Vec<&str> = words.split(' ').collect();
        assert!(
            parts[0] == parts[1] && parts[1] == parts[2],
            "half a change: {words}"
        );
        let known = of_generation
            .entry(delivery.rules_id.0)
            .or_insert_with(|| words.to_owned());
        assert_eq!(known, words, "one generation, two decisions");
    }
    let releases: BTreeSet<&str> = of_generation
        .values()
        .filter_map(|words| words.split(' ').next())
        .collect();
    println!(
        "{all} events, {} generations, {} releases",
        of_generation.len(),
        releases.len()
    );
    assert!(releases.len() > EDITS / 16, "{releases:?}");
}
