//! Every route of the web, as the source makes the router.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

/// A path of the router, and what may be asked of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// As it is given to the router: `/events/{ems}`.
    pub(crate) path: String,
    pub(crate) methods: Vec<String>,
}

impl Route {
    /// A path that the router takes for this route; nothing of that name is there.
    pub(crate) fn example(&self) -> String {
        static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\*?\w+\}").unwrap());
        PARAMETER.replace_all(&self.path, "999").into_owned()
    }

    /// Whether it answers without an end.
    pub(crate) fn is_endless(&self) -> bool {
        self.path.ends_with("/live")
    }
}

/// All of them, sorted. One that is made in a way that this does not read is a failure, not an omission.
pub(crate) fn routes() -> Vec<Route> {
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\.route\(\s*("/[^"]*"|[\w:]+),\s*((?:\.?\s*\w+\([\w:]+\)\s*)+),?\s*\)"#).unwrap()
    });
    static METHOD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\w+)\([\w:]+\)").unwrap());
    let mut routes = Vec::new();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")) {
        let text = fs::read_to_string(&file).unwrap();
        let found: Vec<Route> = ROUTE
            .captures_iter(&text)
            .map(|found| Route {
                path: path(&file, &found[1]),
                methods: METHOD
                    .captures_iter(&found[2])
                    .map(|method| method[1].to_uppercase())
                    .collect(),
            })
            .collect();
        let made = text.matches(".route(").count();
        assert_eq!(found.len(), made, "{}: {found:?}", file.display());
        let unread = [".nest(", ".nest_service(", ".route_service("];
        assert!(!unread.iter().any(|way| text.contains(way)), "{}", file.display());
        routes.extend(found);
    }
    let known = ["GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
    for route in &routes {
        let is_known = |method: &String| known.contains(&method.as_str());
        assert!(route.methods.iter().all(is_known), "{route:?}");
    }
    routes.sort();
    routes
}

/// A path as it stands, or that of a constant of the file or of a module beside it: `PATH`, `sign_in::PATH`.
fn path(file: &Path, written: &str) -> String {
    if let Some(literal) = written.strip_prefix('"') {
        return literal.trim_end_matches('"').to_owned();
    }
    let (home, name) = match written.rsplit_once("::") {
        Some((module, name)) => (file.parent().unwrap().join(format!("{module}.rs")), name),
        None => (file.to_owned(), written),
    };
    let text = fs::read_to_string(home).unwrap();
    let (_, value) = text.split_once(&format!("const {name}: &str = \"")).unwrap();
    value.split('"').next().unwrap().to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
