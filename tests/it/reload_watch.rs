//! Rules on real folders that change while they are watched: every way in which files are replaced is seen, and
//! what is wrong leaves the rules in force as they are. Waits for events, never for a time.
#![expect(clippy::unwrap_used, reason = "a test's own failure may be a panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use switchboard::model::clock::Clock;
use switchboard::reload;
use switchboard::reload::ReloadOutcome;
use switchboard::reload::Reloader;
use switchboard::reload::SettingsFile;
use switchboard::reload::Watcher;
use switchboard::settings::ActiveSettings;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::settings::SettingsPath;
use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::ActiveSwitchboard;
use switchboard::switchboard::Switchboard;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longer than anything takes on a busy machine: only a change that goes unseen is waited for so long.
const UNSEEN: Duration = Duration::from_secs(20);

/// A script in which nothing is wrong.
const B: &str = "fn b() { 1 }";

/// Folders, watched, with a reloader that the test drives itself.
struct Watched {
    folder: TempDir,
    watcher: Watcher,
    reloader: Reloader,
    outcomes: Vec<ReloadOutcome>,
}

fn roots(folder: &Path) -> [Root; 2] {
    [(RootKind::Automate, "automate"), (RootKind::Scripts, "scripts")].map(|(kind, name)| Root {
        kind,
        folder: folder.join(name),
        required: false,
    })
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn start(roots: &[Root], settings: Option<&Path>) -> (Watcher, Reloader) {
    let watcher = Watcher::new(roots, settings, Duration::from_millis(30));
    let tree = SourceTree::from_disk(roots).unwrap();
    let loaded = Switchboard::load(&tree, None);
    let active = ActiveSwitchboard::new(loaded.switchboard);
    (
        watcher,
        Reloader::new(active, tree, &loaded.diagnostics, Clock::System),
    )
}

impl Watched {
    /// `prepare` makes the folders before they are watched.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (watcher, reloader) = start(&roots(folder.path()), None);
        Self {
            folder,
            watcher,
            reloader,
            outcomes: Vec::new(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn texts(&self) -> Vec<(&str, &str)> {
        let files = self.reloader.running().files();
        files.iter().map(|file| (&*file.path, &*file.text)).collect()
    }

    /// Reloads with every change until the rules in force are these.
    async fn becomes(&mut self, expected: &[(&str, &str)]) {
        self.until(|watched| watched.texts() == expected).await;
    }

    async fn until(&mut self, is_done: impl Fn(&Self) -> bool) {
        while !is_done(self) {
            let changed = timeout(UNSEEN, self.watcher.changed()).await;
            assert!(changed.is_ok(), "unseen; in force are {:?}", self.texts());
            let changed = changed.unwrap();
            self.outcomes.push(self.reloader.reload(&changed));
        }
    }
}

#[tokio::test]
async fn files_written_replaced_renamed_and_removed_are_seen() {
    let mut watched = Watched::new(|folder| write(&folder.join("automate/D/a.yaml"), "a"));
    write(&watched.path("automate/D/a.yaml"), "written");
    watched.becomes(&[("automate/D/a.yaml", "written")]).await;

    write(&watched.path("automate/D/.a.yaml.tmp"), "replaced by rename");
    fs::rename(
        watched.path("automate/D/.a.yaml.tmp"),
        watched.path("automate/D/a.yaml"),
    )
    .unwrap();
    watched
        .becomes(&[("automate/D/a.yaml", "replaced by rename")])
        .await;

    fs::rename(
        watched.path("automate/D/a.yaml"),
        watched.path("automate/D/b.yaml"),
    )
    .unwrap();
    watched
        .becomes(&[("automate/D/b.yaml", "replaced by rename")])
        .await;

    fs::remove_file(watched.path("automate/D/b.yaml")).unwrap();
    watched.becomes(&[]).await;

    write(&watched.path("automate/new/deep/er/c.yaml"), "in new folders");
    watched
        .becomes(&[("automate/new/deep/er/c.yaml", "in new folders")])
        .await;
    write(&watched.path("automate/new/deep/er/c.yaml"), "and watched there");
    watched
        .becomes(&[("automate/new/deep/er/c.yaml", "and watched there")])
        .await;

    fs::rename(watched.path("automate/new"), watched.path("automate/moved")).unwrap();
    watched
        .becomes(&[("automate/moved/deep/er/c.yaml", "and watched there")])
        .await;
    write(&watched.path("automate/moved/deep/er/c.yaml"), "after the move");
    watched
        .becomes(&[("automate/moved/deep/er/c.yaml", "after the move")])
        .await;
}

#[tokio::test]
async fn a_root_that_is_missing_deleted_and_made_again_is_seen() {
    let mut watched = Watched::new(|folder| write(&folder.join("automate/a.yaml"), "a"));
    write(&watched.path("scripts/lib/b.rhai"), B);
    watched
        .becomes(&[("automate/a.yaml", "a"), ("scripts/lib/b.rhai", B)])
        .await;

    fs::remove_dir_all(watched.path("automate")).unwrap();
    let is_kept = |watched: &Watched| matches!(watched.outcomes.last(), Some(ReloadOutcome::Kept { .. }));
    watched.until(is_kept).await;
    assert_eq!(
        watched.texts().len(),
        2,
        "a folder that is gone leaves the rules as they are"
    );

    write(&watched.path("automate/c.yaml"), "c");
    watched
        .becomes(&[("automate/c.yaml", "c"), ("scripts/lib/b.rhai", B)])
        .await;
    write(&watched.path("automate/c.yaml"), "watched again");
    watched
        .becomes(&[("automate/c.yaml", "watched again"), ("scripts/lib/b.rhai", B)])
        .await;

    write(&watched.path("next/d.yaml"), "d");
    fs::rename(watched.path("automate"), watched.path("before")).unwrap();
    fs::rename(watched.path("next"), watched.path("automate")).unwrap();
    watched
        .becomes(&[("automate/d.yaml", "d"), ("scripts/lib/b.rhai", B)])
        .await;
    write(&watched.path("before/c.yaml"), "no longer ours");
    write(&watched.path("automate/d.yaml"), "ours");
    watched
        .becomes(&[("automate/d.yaml", "ours"), ("scripts/lib/b.rhai", B)])
        .await;
}

#[tokio::test]
async fn a_swapped_link_of_kubernetes_is_seen() {
    let mut watched = Watched::new(|folder| {
        write(&folder.join("automate/..1/a.yaml"), "1");
        symlink("..1", folder.join("automate/..data")).unwrap();
        symlink("..data/a.yaml", folder.join("automate/a.yaml")).unwrap();
    });
    for turn in 2..5 {
        let text = turn.to_string();
        write(&watched.path(&format!("automate/..{turn}/a.yaml")), &text);
        symlink(format!("..{turn}"), watched.path("automate/..data_tmp")).unwrap();
        fs::rename(
            watched.path("automate/..data_tmp"),
            watched.path("automate/..data"),
        )
        .unwrap();
        fs::remove_dir_all(watched.path(&format!("automate/..{}", turn - 1))).unwrap();
        watched.becomes(&[("automate/a.yaml", &text)]).await;
    }
}

#[tokio::test]
async fn a_swapped_link_on_the_way_to_the_roots_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("releases/1/automate/a.yaml"), "1");
    write(&path("releases/2/automate/a.yaml"), "2");
    symlink("releases/1", path("current")).unwrap();
    symlink("current/automate", path("automate")).unwrap();
    let (watcher, reloader) = start(&roots(folder.path()), None);
    let (outcomes, folder) = (Vec::new(), folder);
    let mut watched = Watched {
        folder,
        watcher,
        reloader,
        outcomes,
    };
    let swap = |watched: &Watched, target: &str, link: &str| {
        symlink(target, watched.path("swap")).unwrap();
        fs::rename(watched.path("swap"), watched.path(link)).unwrap();
    };
    swap(&watched, "releases/2", "current");
    watched.becomes(&[("automate/a.yaml", "2")]).await;
    write(&watched.path("releases/2/automate/a.yaml"), "2, edited");
    watched.becomes(&[("automate/a.yaml", "2, edited")]).await;
    swap(&watched, "releases/1/automate", "automate");
    watched.becomes(&[("automate/a.yaml", "1")]).await;
    write(&watched.path("releases/1/automate/a.yaml"), "1, edited");
    watched.becomes(&[("automate/a.yaml", "1, edited")]).await;
    fs::rename(watched.path("releases"), watched.path("gone")).unwrap();
    fs::rename(watched.path("gone"), watched.path("releases")).unwrap();
    write(
        &watched.path("releases/1/automate/a.yaml"),
        "a folder above was swapped",
    );
    watched
        .becomes(&[("automate/a.yaml", "a folder above was swapped")])
        .await;
}

#[tokio::test]
async fn a_file_that_is_written_through_its_other_name_is_seen() {
    let mut watched = Watched::new(|folder| {
        write(&folder.join("elsewhere/a.yaml"), "a");
        fs::create_dir_all(folder.join("automate/D")).unwrap();
        fs::hard_link(folder.join("elsewhere/a.yaml"), folder.join("automate/D/a.yaml")).unwrap();
    });
    for text in ["written elsewhere", "and once more"] {
        write(&watched.path("elsewhere/a.yaml"), text);
        watched.becomes(&[("automate/D/a.yaml", text)]).await;
    }
}

#[tokio::test]
async fn a_burst_of_changes_as_of_a_checkout_ends_in_exactly_what_is_on_disk() {
    let mut watched = Watched::new(|folder| {
        for number in 0..300 {
            write(
                &folder.join(format!("automate/D/{}/{number}.yaml", number % 7)),
                "old",
            );
        }
    });
    // As git does it: unlink, then write anew; some files and folders go, others come.
    for number in 0..300 {
        let file = watched.path(&format!("automate/D/{}/{number}.yaml", number % 7));
        fs::remove_file(&file).unwrap();
        match number % 3 {
            0 => write(&file, "new"),
            1 => write(&watched.path(&format!("automate/E/{number}/x.yaml")), "added"),
            _removed => (),
        }
    }
    fs::remove_dir_all(watched.path("automate/D/3")).unwrap();
    let on_disk = SourceTree::from_disk(&roots(watched.folder.path())).unwrap();
    watched
        .until(|watched| on_disk.changes_since(watched.reloader.running()).is_empty())
        .await;
    assert!(on_disk.files().len() > 150);
}

#[tokio::test]
async fn what_is_wrong_leaves_the_rules_and_what_was_left_out_at_the_start_blocks_nothing() {
    let mut watched = Watched::new(|folder| {
        write(&folder.join("automate/good.yaml"), "good");
        write(&folder.join("automate/left_out.yaml"), b"\xff");
    });
    assert_eq!(watched.reloader.state().borrow().left_out.len(), 1);
    write(&watched.path("automate/good.yaml"), "better");
    watched.becomes(&[("automate/good.yaml", "better")]).await;

    write(&watched.path("automate/good.yaml"), b"broken \xff");
    let is_kept = |watched: &Watched| matches!(watched.outcomes.last(), Some(ReloadOutcome::Kept { .. }));
    watched.until(is_kept).await;
    write(&watched.path("automate/other.yaml"), "waits for the other");
    watched
        .until(|watched| watched.reloader.state().borrow().kept > 1)
        .await;
    assert_eq!(watched.texts(), [("automate/good.yaml", "better")]);
    let refused = watched.reloader.state().borrow().refused.clone().unwrap();
    let refused: Vec<String> = refused.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        ["automate/good.yaml:1:8: error[NotUtf8]: the file is not UTF-8 text"]
    );

    write(&watched.path("automate/good.yaml"), "mended");
    let mended = [
        ("automate/good.yaml", "mended"),
        ("automate/other.yaml", "waits for the other"),
    ];
    watched.becomes(&mended).await;
    assert_eq!(watched.reloader.state().borrow().refused, None);

    write(&watched.path("automate/other.yaml"), b"\xff");
    watched
        .until(|watched| watched.reloader.state().borrow().refused.is_some())
        .await;
    write(&watched.path("automate/other.yaml"), "waits for the other");
    watched
        .until(|watched| watched.reloader.state().borrow().refused.is_none())
        .await;
    assert_eq!(watched.texts(), mended);

    write(&watched.path("automate/left_out.yaml"), "now right");
    watched.until(|watched| watched.texts().len() == 3).await;
    assert!(watched.reloader.state().borrow().left_out.is_empty());
}

#[tokio::test]
async fn broken_yaml_and_rhai_leave_the_rules_and_the_fix_replaces_them() {
    let domain =
        "object_type: domain\nobject:\n  attributes:\n    name: Site\n    priority: 10\n    enabled: true\n";
    let namespace = "object_type: namespace\nobject:\n  attributes:\n    name: Lab\n";
    let class = "object_type: class\nobject:\n  attributes:\n    name: Box\n  schema:\n  - field:\n      \
                 name: color\n      aetype: attribute\n      datatype: string\n      priority: 1\n";
    let instance = |color: &str| {
        format!(
            "object_type: instance\nobject:\n  attributes:\n    name: plain\n  fields:\n  - color:\n      value: {color}\n"
        )
    };
    let mut watched = Watched::new(|folder| {
        let site = folder.join("automate/Site");
        write(&site.join("__domain__.yaml"), domain);
        write(&site.join("Lab/__namespace__.yaml"), namespace);
        write(&site.join("Lab/Box.class/__class__.yaml"), class);
        write(&site.join("Lab/Box.class/plain.yaml"), instance("red"));
    });
    let state = watched.reloader.state();
    assert!(
        state.borrow().left_out.is_empty(),
        "{:?}",
        state.borrow().left_out
    );
    let plain = watched.path("automate/Site/Lab/Box.class/plain.yaml");
    let script = watched.path("scripts/awesome/event_parser.rhai");
    let broken_instance = instance("red").replace("  fields:", "  fields: [");
    for (file, broken, fixed) in [
        (&plain, broken_instance.as_str(), instance("blue")),
        (&plain, "", instance("green")),
        (
            &script,
            "fn event_to_hash(event, ems_id) {",
            "fn event_to_hash(event, ems_id) { #{} }".to_owned(),
        ),
    ] {
        let before = state.borrow().clone();
        write(file, broken);
        watched.until(|_| state.borrow().kept > before.kept).await;
        let refused = state.borrow().refused.clone().unwrap();
        let wrong = refused.diagnostics[0].to_string();
        assert!(file.ends_with(&*refused.diagnostics[0].file), "{wrong}");
        assert_eq!(state.borrow().id, before.id);

        write(file, &fixed);
        watched.until(|_| state.borrow().replaced > before.replaced).await;
        let after = state.borrow().clone();
        assert!(
            after.id != before.id && after.refused.is_none() && after.left_out.is_empty(),
            "{after:?}"
        );
        let fresh = SourceTree::from_disk(&roots(watched.folder.path())).unwrap();
        assert_eq!(after.id, Switchboard::load(&fresh, None).switchboard.id());
    }
}

#[tokio::test]
async fn the_loop_keeps_rules_and_settings_up_to_date_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("automate/a.yaml"), "a");
    write(&path("config/settings.yml"), "web: {token: one}");
    let settings_path = path("config/settings.yml");
    let environment = Environment::default();
    let named = SettingsPath::named(&settings_path);
    let (settings, findings) = Settings::load(&named, &environment).unwrap();
    let settings = ActiveSettings::new(settings);
    let (watcher, reloader) = start(&roots(folder.path()), Some(&settings_path));
    let reloader = reloader.with_settings(SettingsFile {
        path: named,
        environment,
        active: settings.clone(),
        started: settings.take(),
        findings,
    });
    let mut state = reloader.state();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(reload::run(watcher, reloader, async { drop(stopped.await) }));

    write(&path("automate/a.yaml"), "b");
    let seen = timeout(UNSEEN, state.wait_for(|state| state.replaced == 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.changes.to_string(), "1 changed (automate/a.yaml)");
    drop(seen);
    write(&path("automate/a.yaml"), b"\xff");
    drop(
        timeout(UNSEEN, state.wait_for(|state| state.refused.is_some()))
            .await
            .unwrap()
            .unwrap(),
    );
    write(&path("automate/a.yaml"), "c");
    let seen = timeout(UNSEEN, state.wait_for(|state| state.replaced == 2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((seen.refused.clone(), seen.files), (None, 1));
    drop(seen);

    let token = || {
        settings
            .take()
            .web
            .token
            .as_ref()
            .map(|token| token.reveal().to_owned())
    };
    write(&path("config/next.yml"), "web: {token: two}");
    fs::rename(path("config/next.yml"), &settings_path).unwrap();
    drop(
        timeout(UNSEEN, state.wait_for(|state| state.settings_replaced > 0))
            .await
            .unwrap()
            .unwrap(),
    );
    assert_eq!(token().as_deref(), Some("two"));
    write(&settings_path, "web: {token: three, listen: nowhere}");
    let seen = timeout(UNSEEN, state.wait_for(|state| state.settings_refused.is_some()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        seen.settings_refused.clone().unwrap().diagnostics[0].code,
        "WrongSetting"
    );
    drop(seen);
    assert_eq!(token().as_deref(), Some("two"));
    write(&settings_path, "web: {token: four}");
    drop(
        timeout(UNSEEN, state.wait_for(|state| state.settings_refused.is_none()))
            .await
            .unwrap()
            .unwrap(),
    );
    assert_eq!(token().as_deref(), Some("four"));
    assert_eq!(state.borrow().replaced, 2, "the settings are no rules");

    stop.send(()).unwrap();
    timeout(UNSEEN, running).await.unwrap().unwrap();
}
