//! The walk of the README as it is written: every command is run beside a demo, and what it prints is what is shown.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use regex::Regex;

use crate::demo::Demo;
use crate::support::project::Project;
use crate::support::serving::pause;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the shell says behind the output of a block.
const END: &str = "-- that was all --";

/// The second terminal.
struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Shell {
    fn start(project: &Project) -> Self {
        let mut shell = Command::new("bash");
        let mut child = shell
            .current_dir(project.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// What these lines print.
    fn run(&mut self, lines: &str) -> String {
        writeln!(self.stdin, "{lines}\necho '{END}'").unwrap();
        let mut told = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "the shell ended: {lines}"
            );
            match line.trim_end().strip_suffix(END) {
                Some(last) => return told + last,
                None => told.push_str(&line),
            }
        }
    }

    /// Waits until nothing is left to read, as a reader does who takes his time: what is read later would show what
    /// the next commands do.
    fn until_refreshed(&mut self) {
        let began = Instant::now();
        let open = ["waiting", "running"]
            .map(|state| format!("switchboard refresh list --state {state} --format json"));
        while !self.run(&open.join("\n")).is_empty() {
            assert!(began.elapsed() < PATIENCE, "a refresh does not end");
            pause();
        }
    }

    /// Waits until the rules of a domain are in use, which `demo` reports.
    fn until_live(&mut self, url: &str, domain: &str) {
        let began = Instant::now();
        while !self
            .run(&format!("curl -s {url}/api/automate"))
            .contains(&format!("\"name\":\"{domain}\""))
        {
            assert!(began.elapsed() < PATIENCE, "the rules of {domain} are not in use");
            pause();
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The fenced blocks of a part of the README: language and text.
fn blocks(part: &str) -> Vec<(String, String)> {
    let fenced = part.split("```").skip(1).step_by(2);
    let block = |text: &str| {
        text.split_once('\n')
            .map(|(language, text)| (language.to_owned(), text.to_owned()))
    };
    fenced.filter_map(block).collect()
}

/// A text without what differs from run to run: numbers, and the widths that they give to columns.
fn alike(text: &str) -> String {
    let numbers = Regex::new("[0-9]+").unwrap();
    let spaces = Regex::new(" {2,}").unwrap();
    spaces
        .replace_all(&numbers.replace_all(text, "0"), "  ")
        .into_owned()
}

#[test]
fn the_walk_of_the_readme_prints_what_it_shows() {
    let demo = Demo::of(
        Project::copied(),
        &["--rate", "0", "--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0"],
    );
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let readme = readme
        .replace("http://127.0.0.1:8100", demo.place("the cloud"))
        .replace("http://127.0.0.1:3000", demo.place("Switchboard"));
    let (_, walk) = readme.split_once("## An event becomes a row").unwrap();
    let (walk, _) = walk.split_once("From here:").unwrap();
    let blocks = blocks(walk);
    let mut shell = Shell::start(demo.project());
    shell.run(demo.commands("switchboard()").first().unwrap());
    let mut tried = 0;
    for (command, shown) in blocks.iter().zip(blocks.iter().skip(1)) {
        if command.0 != "sh" {
            continue;
        }
        assert_eq!(shown.0, "text", "what does it print? {}", command.1);
        // What is waited for is asked for until it is there.
        let (at_once, later) = command.1.split_once("sleep 4\n").unwrap_or((&command.1, ""));
        let began = Instant::now();
        let first = shell.run(at_once);
        loop {
            let told = [first.clone(), shell.run(later)].concat();
            if alike(&told) == alike(&shown.1) {
                break;
            }
            if later.is_empty() || PATIENCE < began.elapsed() {
                assert_eq!(told, shown.1, "{}", command.1);
            }
            pause();
        }
        shell.until_refreshed();
        if command.1.contains("switchboard new") {
            shell.until_live(demo.place("Switchboard"), "Local");
        }
        tried += 1;
    }
    assert_eq!(tried, 4);
    // And back.
    assert!(walk.contains("`rm -r automate/Local`"));
    shell.run("rm -r automate/Local");
    let told = shell.run("switchboard check");
    assert!(told.contains("0 errors, 0 warnings"), "{told}");
}
