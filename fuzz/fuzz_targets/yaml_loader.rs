//! Any text as any file of a datastore: it loads, with findings, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

/// Whole files, so that the fuzzed one is looked into wherever it stands.
const OTHERS: &str = "\
//- automate/Lab/__domain__.yaml
object: {attributes: {name: Lab, priority: 1, enabled: true}}
//- automate/Lab/Shop/__namespace__.yaml
object: {attributes: {name: Shop}}
//- automate/Lab/Shop/Box.class/__class__.yaml
object: {attributes: {name: Box}, schema: [{field: {aetype: attribute, name: size, priority: 1}}]}
//- automate/Lab/Shop/Box.class/small.yaml
object: {attributes: {name: small}, fields: [{size: {value: '1'}}]}
//- automate/Lab/Shop/Box.class/__methods__/fold.yaml
object: {attributes: {name: fold, language: rhai, location: inline, data: 'evm.root.x = 1'}}
";

const FUZZED: [&str; 5] = [
    "automate/Lab/__domain__.yaml",
    "automate/Lab/Shop/__namespace__.yaml",
    "automate/Lab/Shop/Box.class/__class__.yaml",
    "automate/Lab/Shop/Box.class/small.yaml",
    "automate/Lab/Shop/Box.class/__methods__/fold.yaml",
];

fuzz_target!(|input: (u8, String)| {
    let (place, text) = input;
    let path = FUZZED[usize::from(place) % FUZZED.len()];
    let kept = OTHERS.split("//- ").filter(|file| !file.is_empty() && !file.starts_with(path));
    let mut fixture: String = kept.map(|file| format!("//- {file}")).collect();
    fixture.push_str(&format!("//- {path}\n{}", text.replace("//- ", "")));
    let loaded = Switchboard::load(&SourceTree::from_fixture(&fixture), None);
    for finding in &loaded.diagnostics {
        assert!(0 < finding.line && 0 < finding.column, "{finding}");
    }
});
