//! Points: every name on the way to a path, links followed; when one of them changes, so does what is reached.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// As many links as the system itself follows.
const MAX_LINKS: usize = 40;

/// Goes down to `path` name by name. `pass` is told each folder and the point in it before that point is looked
/// at, so that who watches the folder from then on misses nothing.
///
/// Returns where `path` really is, or nothing where the way ends before.
pub(crate) fn walk(path: &Path, mut pass: impl FnMut(&Path, &Path)) -> io::Result<Option<PathBuf>> {
    let path = std::path::absolute(path)?;
    let mut names = VecDeque::new();
    let mut at = PathBuf::new();
    enter(&path, &mut at, &mut names);
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let point = at.join(&name);
        pass(&at, &point);
        let Ok(metadata) = point.symlink_metadata() else {
            return Ok(None);
        };
        if !metadata.is_symlink() {
            at = point;
            continue;
        }
        links += 1;
        let target = match point.read_link() {
            Ok(target) if links <= MAX_LINKS => target,
            _broken => return Ok(None),
        };
        enter(&target, &mut at, &mut names);
    }
    Ok(Some(at))
}

/// Puts the names of `path` before those still to go; an absolute path begins at the root.
fn enter(path: &Path, at: &mut PathBuf, names: &mut VecDeque<OsString>) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => names.push_front(name.to_owned()),
            Component::ParentDir => names.push_front("..".into()),
            Component::RootDir => *at = PathBuf::from("/"),
            Component::CurDir | Component::Prefix(_) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_name_and_link_on_the_way_is_passed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("releases/1/automate")).unwrap();
        symlink("releases/2", folder.join("next")).unwrap();
        symlink("releases/../releases/1", folder.join("current")).unwrap();
        symlink(folder.join("current"), folder.join("absolute")).unwrap();
        symlink("circle", folder.join("circle")).unwrap();
        let below = |path: &str| {
            let mut points = Vec::new();
            let real = walk(&folder.join(path), |_, point| points.push(point.to_owned())).unwrap();
            let relative = |path: &Path| path.strip_prefix(&folder).map(|path| path.display().to_string());
            let points: Vec<String> = points.iter().filter_map(|point| relative(point).ok()).collect();
            let mut points: Vec<String> = points.into_iter().filter(|point| !point.is_empty()).collect();
            points.dedup();
            (points.join(" "), real.map(|real| relative(&real).unwrap()))
        };
        let automate = Some("releases/1/automate".to_owned());
        for (path, expected, real) in [
            (
                "releases/1/automate",
                "releases releases/1 releases/1/automate",
                automate.clone(),
            ),
            (
                "absolute/automate",
                "absolute current releases releases/1 releases/1/automate",
                automate,
            ),
            ("next/automate", "next releases releases/2", None),
            ("missing/automate", "missing", None),
            ("circle/automate", "circle", None),
        ] {
            assert_eq!(below(path), (expected.to_owned(), real), "{path}");
        }
    }
}
