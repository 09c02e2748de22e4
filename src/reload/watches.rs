//! Sets the watches of the system, and tells which of its events matter.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use notify::Config;
use notify::Event;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use notify::event::AccessKind;
use notify::event::AccessMode;
use parking_lot::Mutex;
use rustix::io::Errno;
use tracing::info;
use tracing::warn;

use crate::reload::pending::Change;
use crate::reload::pending::Pending;
use crate::reload::points;
use crate::source::Root;

/// What is watched, as the user named it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) roots: Vec<Root>,
    pub(crate) settings: Option<PathBuf>,
}

/// Which paths matter; grows while the watches are set.
#[derive(Debug, Default)]
struct Interest {
    roots: Vec<PathBuf>,
    on_way_to_root: HashSet<PathBuf>,
    on_way_to_settings: HashSet<PathBuf>,
}

/// Watches every folder on the way to a root or to the settings, and the roots with all below them. None where the
/// system grants no watcher; whatever it does not grant is a problem.
pub(crate) fn arm(watched: &Watched, pending: &Arc<Pending>) -> Option<RecommendedWatcher> {
    let interest = Arc::new(Mutex::new(Interest::default()));
    let handler = {
        let (interest, pending) = (interest.clone(), pending.clone());
        move |event| hear(event, &interest, &pending)
    };
    // Links are followed by us: those below a root lead to what is watched anyway, or nowhere.
    let mut watcher = match RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false)) {
        Ok(watcher) => watcher,
        Err(error) => {
            fail(pending, &error);
            return None;
        }
    };
    let mut problem = None;
    let mut folders = HashSet::new();
    let mut watch_folder = |folder: &Path| {
        if !folders.insert(folder.to_owned()) {
            return;
        }
        // One that may not be read, such as the folder of all homes, is not going to be swapped either.
        let error = watcher.watch(folder, RecursiveMode::NonRecursive).err();
        problem = problem.take().or(error.filter(is_limit));
    };
    for root in &watched.roots {
        let real = points::walk(&root.folder, |folder, point| {
            interest.lock().on_way_to_root.insert(point.to_owned());
            watch_folder(folder);
        });
        interest.lock().roots.extend(real.ok().flatten());
    }
    if let Some(settings) = &watched.settings {
        // One without a path cannot be read either, and whoever reads it says so.
        let _read_later = points::walk(settings, |folder, point| {
            interest.lock().on_way_to_settings.insert(point.to_owned());
            watch_folder(folder);
        });
    }
    // Last, because a watch of the folder alone would take its place.
    let roots = interest.lock().roots.clone();
    for root in roots {
        let error = watcher.watch(&root, RecursiveMode::Recursive).err();
        problem = problem.or(error);
    }
    match problem {
        Some(error) => fail(pending, &error),
        None => {
            if pending.set_problem(None) {
                info!("Changes are seen at once again.");
            }
        }
    }
    Some(watcher)
}

/// Takes an event of the system.
fn hear(event: notify::Result<Event>, interest: &Mutex<Interest>, pending: &Pending) {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            fail(pending, &error);
            return pending.push(Change::Lost);
        }
    };
    if event.need_rescan() {
        return pending.push(Change::Lost);
    }
    if is_only_read(event.kind) {
        return;
    }
    let interest = interest.lock();
    for path in &event.paths {
        if interest.on_way_to_root.contains(path) {
            pending.push(Change::WayToRoot);
        }
        if interest.on_way_to_settings.contains(path) {
            pending.push(Change::Settings);
        }
        if interest.roots.iter().any(|root| path.starts_with(root)) {
            pending.push(Change::Below(path));
        }
    }
}

/// Whether nothing was changed; our own reading makes such events.
fn is_only_read(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => false,
    }
}

/// Whether the system allows no more watches.
fn is_limit(error: &notify::Error) -> bool {
    matches!(error.kind, notify::ErrorKind::MaxFilesWatch)
}

fn fail(pending: &Pending, error: &notify::Error) {
    let why = match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system allows no more watches; raise `fs.inotify.max_user_watches`".to_owned()
        }
        // The same code says that this process has too many open files: then it could open no other one either.
        notify::ErrorKind::Io(error)
            if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) && File::open("/").is_ok() =>
        {
            "the system allows no more inotify instances; raise `fs.inotify.max_user_instances`".to_owned()
        }
        _other => format!("a folder cannot be watched: {error}"),
    };
    let problem = format!("{why}; until then files are compared every few seconds");
    if pending.set_problem(Some(problem.clone())) {
        warn!(problem, "Some changes are seen late.");
    }
}
