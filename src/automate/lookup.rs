//! Workspace paths: which object of the run is meant (reference 4.12).

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::automate::workspace::Object;
use crate::automate::workspace::Workspace;

impl Workspace {
    /// The object at a workspace path, seen from the current one.
    pub(crate) fn lookup(&self, path: &str) -> Ae<Option<usize>> {
        self.lookup_from(self.current(), path)
    }

    /// The object at a workspace path, seen from another one.
    pub(crate) fn lookup_from(&self, current: Option<usize>, path: &str) -> Ae<Option<usize>> {
        let path = path.trim();
        let path = if path.starts_with("/.") {
            path.trim_start_matches('/')
        } else {
            path
        };
        if path.is_empty() {
            return Ok(current);
        }
        if path == "/" {
            return Ok(current
                .map(|index| self.top_ancestor(index))
                .or_else(|| self.root()));
        }
        if path.starts_with('.') {
            return self.climb(current, path);
        }
        let path = path.trim_matches('/');
        let (namespace, class) = path
            .rsplit_once('/')
            .map_or((None, path), |(before, last)| (Some(before), last));
        let mut ancestor = current.and_then(|index| self.object(index)?.parent);
        while let Some(index) = ancestor {
            let Some(object) = self.object(index) else { break };
            let is_namespace =
                namespace.is_none_or(|namespace| without_domain(object).eq_ignore_ascii_case(namespace));
            if is_namespace && object.class_name.eq_ignore_ascii_case(class) {
                return Ok(Some(index));
            }
            ancestor = object.parent;
        }
        Ok(self.anywhere(path))
    }

    fn climb(&self, current: Option<usize>, path: &str) -> Ae<Option<usize>> {
        let mut index = current;
        for segment in path.split('/') {
            match segment {
                "." | "" => (),
                ".." => {
                    // A second step above the root crashes the original; here it names the path.
                    let from = index.ok_or_else(|| {
                        AeError::engine("ParentNotFound", format!("`{path}` leads above the root"))
                    })?;
                    index = self.object(from).and_then(|object| object.parent);
                }
                other => {
                    let why = format!("`{path}`: only `.` and `..` may follow a leading `.`, not `{other}`");
                    return Err(AeError::engine("InvalidPathFormat", why));
                }
            }
        }
        Ok(index)
    }

    /// `…/Class/instance` among every object ever built; `instance` may be a glob.
    fn anywhere(&self, path: &str) -> Option<usize> {
        let (rest, instance) = path.rsplit_once('/')?;
        let (namespace, class) = rest.rsplit_once('/')?;
        let glob = glob(instance)?;
        let matching = |object: &&Object| {
            let is_hidden = object.instance.starts_with('.') && !instance.starts_with('.');
            object.class_name.eq_ignore_ascii_case(class) && !is_hidden && glob.is_match(&object.instance)
        };
        let find = |is_namespace: &dyn Fn(&Object) -> bool| {
            let found = self
                .state
                .objects
                .iter()
                .enumerate()
                .find(|(_, object)| matching(object) && is_namespace(object));
            found.map(|(index, _)| index)
        };
        find(&|object| object.namespace.eq_ignore_ascii_case(namespace))
            .or_else(|| find(&|object| without_domain(object).eq_ignore_ascii_case(namespace)))
    }
}

pub(crate) fn without_domain(object: &Object) -> &str {
    object
        .namespace
        .split_once('/')
        .map_or("", |(_, namespace)| namespace)
}

/// A file-name glob, ignoring case: `*`, `?`, `[…]`.
pub(crate) fn glob(pattern: &str) -> Option<regex::Regex> {
    let mut expression = String::from("(?is)^");
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' | ']' => expression.push(c),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push('$');
    regex::Regex::new(&expression).ok()
}
