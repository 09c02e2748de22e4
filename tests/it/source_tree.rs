//! The source tree on real folders: what is read, what is a finding, and what an update looks at again.
#![expect(clippy::unwrap_used, reason = "a test's own failure may be a panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceFile;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;
use tempfile::TempDir;

/// A temporary folder with `automate/` and `scripts/` in it.
struct Folders {
    folder: TempDir,
    roots: [Root; 2],
}

impl Folders {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = |kind, name| Root {
            kind,
            folder: folder.path().join(name),
            required: true,
        };
        let roots = [
            root(RootKind::Automate, "automate"),
            root(RootKind::Scripts, "scripts"),
        ];
        for root in &roots {
            fs::create_dir(&root.folder).unwrap();
        }
        let folders = Self { folder, roots };
        for (path, text) in files {
            folders.write(path, text);
        }
        folders
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: impl AsRef<Path>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn read(&self) -> SourceTree {
        SourceTree::from_disk(&self.roots).unwrap()
    }

    fn update(&self, tree: &SourceTree, changed: &[&str]) -> SourceTree {
        let changed: Vec<PathBuf> = changed.iter().map(|path| self.path(path)).collect();
        tree.updated(&changed)
    }
}

fn paths(tree: &SourceTree) -> Vec<&str> {
    tree.files().iter().map(|file| &*file.path).collect()
}

fn texts(tree: &SourceTree) -> Vec<(&str, &str)> {
    tree.files()
        .iter()
        .map(|file| (&*file.path, &*file.text))
        .collect()
}

fn findings(tree: &SourceTree) -> Vec<String> {
    tree.diagnostics().iter().map(ToString::to_string).collect()
}

fn file<'a>(tree: &'a SourceTree, path: &str) -> &'a Arc<SourceFile> {
    tree.files().iter().find(|file| &*file.path == path).unwrap()
}

#[test]
fn yaml_and_rhai_files_are_read_in_order_and_leftovers_are_not() {
    let folders = Folders::with(&[
        ("automate/Dom/b.class/x.yaml", "b"),
        ("automate/Dom/a.class/__methods__/m.rhai", "method"),
        ("automate/Dom/a.class/__class__.yaml", "a"),
        ("automate/Dom/a.class/wörter #1.yaml", "any name"),
        ("automate/Dom/a.class/old.yaml~", "backup"),
        ("automate/Dom/a.class/.#x.yaml", "lock"),
        ("automate/Dom/a.class/.x.yaml.swp", "swap"),
        ("automate/Dom/a.class/#x.yaml#", "autosave"),
        ("automate/Dom/a.class/__methods__/m.rb", "ruby"),
        ("automate/.git/x.yaml", "hidden"),
        ("automate/README.md", "text"),
        ("scripts/lib/b.rhai", "lib"),
        ("scripts/a.yaml", "no script"),
    ]);
    let tree = folders.read();
    let expected = [
        ("automate/Dom/a.class/__class__.yaml", "a"),
        ("automate/Dom/a.class/__methods__/m.rhai", "method"),
        ("automate/Dom/a.class/wörter #1.yaml", "any name"),
        ("automate/Dom/b.class/x.yaml", "b"),
        ("scripts/lib/b.rhai", "lib"),
    ];
    assert_eq!(texts(&tree), expected);
    assert_eq!(findings(&tree), [""; 0]);
    let script = file(&tree, "scripts/lib/b.rhai");
    assert_eq!(
        (script.kind, &*script.relative),
        (RootKind::Scripts, "lib/b.rhai")
    );
}

#[test]
fn a_byte_order_mark_is_passed_over_in_every_file() {
    const FILES: [(&str, &str); 8] = [
        (
            "automate/Base/__domain__.yaml",
            "object: {attributes: {name: Base}}\n",
        ),
        (
            "automate/Base/Lab/__namespace__.yaml",
            "---\nobject: {attributes: {name: Lab}}\n",
        ),
        (
            "automate/Base/Lab/Box.class/__class__.yaml",
            "---\nobject:\n  attributes: {name: Box}\n  schema:\n  - field: {name: go, aetype: method}\n",
        ),
        (
            "automate/Base/Lab/Box.class/a.yaml",
            "object:\n  attributes: {name: a}\n  fields:\n  - go: {value: act}\n",
        ),
        (
            "automate/Base/Lab/Box.class/__methods__/act.yaml",
            "---\nobject: {attributes: {name: act, language: rhai}}\n",
        ),
        (
            "automate/Base/Lab/Box.class/__methods__/act.rhai",
            "evm.root[\"x\"] = 1;\n",
        ),
        ("scripts/lib/times.rhai", "// A comment.\nfn now() { 1 }\n"),
        (
            "scripts/cloud/event_parser.rhai",
            "fn event_to_hash(event, ems_id) { #{} }\n",
        ),
    ];
    let marked = FILES.map(|(path, text)| (path, format!("\u{feff}{text}")));
    let marked: Vec<(&str, &str)> = marked.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let tree = Folders::with(&marked).read();
    let loaded = Switchboard::load(&tree, None);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.switchboard.check(&tree), []);
    let mut expected = FILES;
    expected.sort();
    assert_eq!(texts(&tree), expected);
}

#[test]
fn what_cannot_be_read_is_a_finding_and_the_rest_is_there() {
    let folders = Folders::with(&[("automate/good.yaml", "good"), ("automate/empty.yaml", "")]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.yaml"), "secret").unwrap();
    folders.write("automate/huge.yaml", vec![b'x'; (1 << 20) + 1]);
    folders.write("automate/latin.yaml", b"a: 1\nb: \xe4\n");
    folders.link("automate/out.yaml", outside.path().join("secret.yaml"));
    folders.link("automate/out", outside.path());
    folders.link("automate/up.yaml", "../scripts/x.rhai");
    folders.link("automate/nowhere.yaml", "gone.yaml");
    folders.link("automate/self.yaml", "self.yaml");
    folders.link("automate/loop", ".");
    folders.link("automate/readme.md", outside.path().join("secret.yaml"));
    folders.write("scripts/x.rhai", "x");
    let _socket = UnixListener::bind(folders.path("automate/socket.yaml")).unwrap();
    let tree = folders.read();
    assert_eq!(
        paths(&tree),
        ["automate/empty.yaml", "automate/good.yaml", "scripts/x.rhai"]
    );
    let out = "is a link that leads out of its root folder";
    let expected = [
        "automate/huge.yaml:1:1: error[Unreadable]: `automate/huge.yaml` cannot be read".to_owned(),
        "automate/latin.yaml:2:4: error[NotUtf8]: the file is not UTF-8 text".to_owned(),
        "automate/loop:1:1: error[Unreadable]: `automate/loop` is a link to a folder that contains it"
            .to_owned(),
        "automate/nowhere.yaml:1:1: error[Unreadable]: `automate/nowhere.yaml` is a link that leads nowhere"
            .to_owned(),
        format!("automate/out:1:1: error[Unreadable]: `automate/out` {out}"),
        format!("automate/out.yaml:1:1: error[Unreadable]: `automate/out.yaml` {out}"),
        "automate/self.yaml:1:1: error[Unreadable]: `automate/self.yaml` is a link that leads nowhere"
            .to_owned(),
        "automate/socket.yaml:1:1: error[Unreadable]: `automate/socket.yaml` is not a regular file"
            .to_owned(),
        format!("automate/up.yaml:1:1: error[Unreadable]: `automate/up.yaml` {out}"),
    ];
    assert_eq!(findings(&tree), expected);
    assert_eq!(tree.diagnostics()[0].help, "it is longer than 1 MiB");
}

#[test]
fn links_of_kubernetes_are_followed_and_their_swap_is_seen() {
    let folders = Folders::with(&[
        ("automate/..one/a.yaml", "1"),
        ("automate/..one/Dom/b.yaml", "1"),
        ("automate/plain.yaml", "plain"),
        ("automate/..two/a.yaml", "2"),
        ("automate/..two/Dom/b.yaml", "1"),
    ]);
    folders.link("automate/..data", "..one");
    folders.link("automate/a.yaml", "..data/a.yaml");
    folders.link("automate/Dom", "..data/Dom");
    let before = folders.read();
    assert_eq!(
        texts(&before),
        [
            ("automate/Dom/b.yaml", "1"),
            ("automate/a.yaml", "1"),
            ("automate/plain.yaml", "plain")
        ]
    );
    folders.link("automate/..data_tmp", "..two");
    fs::rename(
        folders.path("automate/..data_tmp"),
        folders.path("automate/..data"),
    )
    .unwrap();
    let after = folders.update(&before, &["automate/..data_tmp", "automate/..data"]);
    assert_eq!(
        texts(&after),
        [
            ("automate/Dom/b.yaml", "1"),
            ("automate/a.yaml", "2"),
            ("automate/plain.yaml", "plain")
        ]
    );
    assert_eq!(findings(&after), [""; 0]);
    for shared in ["automate/Dom/b.yaml", "automate/plain.yaml"] {
        assert!(
            Arc::ptr_eq(file(&before, shared), file(&after, shared)),
            "{shared}"
        );
    }
}

#[test]
fn an_update_equals_a_fresh_read_and_shares_what_did_not_change() {
    type Change = fn(&Folders);
    let cases: [(&str, &[&str], Change); 9] = [
        ("edit", &["automate/D/a.yaml"], |folders| {
            folders.write("automate/D/a.yaml", "new");
        }),
        ("add", &["scripts/new.rhai"], |folders| {
            folders.write("scripts/new.rhai", "new");
        }),
        ("remove", &["automate/D/a.yaml"], |folders| {
            fs::remove_file(folders.path("automate/D/a.yaml")).unwrap();
        }),
        ("rename", &["automate/D/a.yaml", "automate/z.yaml"], |folders| {
            fs::rename(folders.path("automate/D/a.yaml"), folders.path("automate/z.yaml")).unwrap();
        }),
        ("new folder", &["automate/D/new"], |folders| {
            folders.write("automate/D/new/x/y.yaml", "y");
        }),
        ("folder removed", &["automate/D"], |folders| {
            fs::remove_dir_all(folders.path("automate/D")).unwrap();
        }),
        ("folder becomes a link", &["automate/D/a.yaml"], |folders| {
            fs::rename(folders.path("automate/D"), folders.path("automate/.real")).unwrap();
            folders.link("automate/D", ".real");
            folders.write("automate/D/b.yaml", "through the link");
        }),
        ("file becomes a folder", &["automate/D/a.yaml"], |folders| {
            fs::remove_file(folders.path("automate/D/a.yaml")).unwrap();
            folders.write("automate/D/a.yaml/b.yaml", "b");
        }),
        (
            "a finding comes and goes",
            &["automate/D/a.yaml", "automate/bad.yaml"],
            |folders| {
                folders.write("automate/D/a.yaml", b"\xff");
                folders.write("automate/bad.yaml", "good now");
            },
        ),
    ];
    for (name, changed, change) in cases {
        let folders = Folders::with(&[
            ("automate/D/a.yaml", "a"),
            ("automate/D-1.yaml", "sorts between D and D/a.yaml"),
            ("automate/D0.yaml", "sorts behind D/"),
            ("scripts/lib/b.rhai", "b"),
        ]);
        folders.write("automate/bad.yaml", b"\xff");
        let before = folders.read();
        change(&folders);
        let after = folders.update(&before, changed);
        let fresh = folders.read();
        assert_eq!(texts(&after), texts(&fresh), "{name}");
        assert_eq!(findings(&after), findings(&fresh), "{name}");
        assert_eq!(texts(&after.reread()), texts(&fresh), "{name}");
        assert_ne!(
            (texts(&before), findings(&before)),
            (texts(&fresh), findings(&fresh)),
            "{name}"
        );
        for shared in ["automate/D0.yaml", "scripts/lib/b.rhai"] {
            assert!(
                Arc::ptr_eq(file(&before, shared), file(&after, shared)),
                "{name}: {shared}"
            );
        }
    }
}

#[test]
fn paths_elsewhere_and_hidden_ones_change_nothing() {
    let folders = Folders::with(&[("automate/a.yaml", "a")]);
    let before = folders.read();
    folders.write("automate/a.yaml", "changed");
    let after = folders.update(
        &before,
        &["elsewhere/a.yaml", "automate/.git/index", "automate2/a.yaml"],
    );
    assert_eq!(texts(&after), [("automate/a.yaml", "a")]);
}

#[test]
fn a_root_may_be_missing_only_where_nobody_named_it() {
    let folders = Folders::with(&[]);
    let mut root = folders.roots[0].clone();
    root.folder = folders.path("missing");
    let error = SourceTree::from_disk(std::slice::from_ref(&root))
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing`: "), "{error}");

    root.required = false;
    let empty = SourceTree::from_disk(std::slice::from_ref(&root)).unwrap();
    assert_eq!((paths(&empty), findings(&empty)), (vec![], vec![]));
    folders.write("missing/a.yaml", "a");
    let there = empty.reread();
    assert_eq!(paths(&there), ["missing/a.yaml"]);
    fs::remove_dir_all(&root.folder).unwrap();
    let gone = there.reread();
    assert_eq!(paths(&gone), [""; 0]);
    assert!(
        findings(&gone)[0].starts_with("missing:1:1: error[FolderUnreadable]"),
        "{:?}",
        findings(&gone)
    );
    assert_eq!(findings(&gone.reread()), findings(&gone));
    folders.write("missing/b.yaml", "b");
    let back = gone.reread();
    assert_eq!((paths(&back), findings(&back)), (vec!["missing/b.yaml"], vec![]));
}

#[test]
fn a_root_that_is_a_link_is_read_anew_when_it_is_swapped() {
    let folders = Folders::with(&[("one/a.yaml", "1"), ("two/a.yaml", "2")]);
    folders.link("current", "one");
    let root = Root {
        kind: RootKind::Automate,
        folder: folders.path("current"),
        required: true,
    };
    let before = SourceTree::from_disk(&[root]).unwrap();
    assert_eq!(texts(&before), [("current/a.yaml", "1")]);
    folders.link("next", "two");
    fs::rename(folders.path("next"), folders.path("current")).unwrap();
    let after = folders.update(&before, &["current"]);
    assert_eq!(texts(&after), [("current/a.yaml", "2")]);
}

#[test]
fn files_swapped_for_links_while_they_are_read_never_bring_text_from_outside() {
    let folders = Folders::with(&[("automate/a.yaml", "inside")]);
    folders.write("secret.yaml", "outside");
    folders.link("automate/b.yaml", "a.yaml");
    let (real, evil) = (folders.path("real"), folders.path("evil"));
    let victims = [folders.path("automate/a.yaml"), folders.path("automate/b.yaml")];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 0..2_000 {
                for victim in &victims {
                    fs::write(&real, "inside").unwrap();
                    symlink(folders.path("secret.yaml"), &evil).unwrap();
                    let (next, other) = if turn % 2 == 0 {
                        (&evil, &real)
                    } else {
                        (&real, &evil)
                    };
                    fs::rename(next, victim).unwrap();
                    fs::remove_file(other).unwrap();
                }
            }
        });
        while !writer.is_finished() {
            let tree = folders.read();
            let is_inside = |file: &Arc<SourceFile>| &*file.text == "inside";
            assert!(tree.files().iter().all(is_inside), "{:?}", texts(&tree));
        }
    });
}
