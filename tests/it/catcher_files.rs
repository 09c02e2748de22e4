//! What a catcher that reads a file promises: it grows, it rotates, it is emptied, and nothing is lost or kept twice.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use switchboard::catcher::CatcherState;

use crate::support::catching::Catching;
use crate::support::cloud::event;

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn line(number: usize) -> String {
    format!("{}\n", event(&format!("e-{number}")))
}

/// A first stage with a manager whose file is `events.log` beside the database.
async fn catching_file() -> (Catching, std::path::PathBuf) {
    let catching = Catching::start();
    let path = catching.database.folder.path().join("events.log");
    append(&path, "");
    catching
        .add("cloud", &format!("file://{}", path.display()), None)
        .await;
    (catching, path)
}

/// Lets time pass until so many messages are on the queue, and gives the ids of the events.
async fn until_queued(catching: &Catching, count: u64) -> Vec<String> {
    let queued = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(2));
        while catching.entries().len() < usize::try_from(count).unwrap() {
            tick.tick().await;
        }
    };
    catching.until(queued).await;
    catching.queued().0
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_kept_as_they_come_and_half_ones_wait_for_their_end() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    append(&path, "{ \"id\": \"e-2\", \"event_name\"");
    assert_eq!(until_queued(&catching, 1).await, ["e-1"]);
    append(&path, ": \"com.awesomecloud.vm.create\" }\nno json\n");
    append(&path, &line(3));
    assert_eq!(until_queued(&catching, 4).await, ["e-1", "e-2", "e-3"]);
    let (_, reasons) = catching.queued();
    assert!(reasons[0].starts_with("the message is no JSON"), "{reasons:?}");
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_renamed_is_read_to_its_end_and_then_the_new_one() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    until_queued(&catching, 1).await;
    let mut old = OpenOptions::new().append(true).open(&path).unwrap();
    fs::rename(&path, path.with_extension("log.1")).unwrap();
    append(&path, &line(3));
    // Its writer had not noticed yet; the last line has no end and gets none.
    old.write_all(line(2).trim_end().as_bytes()).unwrap();
    assert_eq!(until_queued(&catching, 3).await, ["e-1", "e-2", "e-3"]);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_rotated_many_times_between_two_looks_is_read_whole() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    until_queued(&catching, 1).await;
    let mut expected = vec!["e-1".to_owned()];
    for number in 2..6 {
        // Which came first is told by the times of the files, so each has to have one of its own.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::rename(&path, path.with_extension(format!("log.{number}"))).unwrap();
        while fs::metadata(&path).and_then(|file| file.modified()).ok() <= Some(before) {
            fs::write(&path, line(number)).unwrap();
        }
        expected.push(format!("e-{number}"));
    }
    assert_eq!(until_queued(&catching, 5).await, expected);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_emptied_in_place_is_read_from_its_beginning() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    until_queued(&catching, 1).await;
    // Emptied and grown beyond where it was read: only its beginning tells.
    let file = File::create(&path).unwrap();
    file.set_len(0).unwrap();
    append(&path, &format!("{}{}", line(2), line(3)));
    assert_eq!(until_queued(&catching, 3).await, ["e-1", "e-2", "e-3"]);
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_what_was_rotated_while_nobody_read_is_read_once() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    until_queued(&catching, 1).await;
    let database = catching.stop().await;
    append(&path, &line(2));
    fs::rename(&path, path.with_extension("log.2")).unwrap();
    append(&path, &line(3));
    fs::rename(&path, path.with_extension("log.1")).unwrap();
    append(&path, &line(4));
    let catching = Catching::start_on(database);
    assert_eq!(until_queued(&catching, 4).await, ["e-1", "e-2", "e-3", "e-4"]);
    let database = catching.stop().await;
    append(&path, &line(5));
    let catching = Catching::start_on(database);
    assert_eq!(until_queued(&catching, 5).await.len(), 5);
    assert_eq!(
        catching
            .vmdb()
            .tallies()
            .unwrap()
            .values()
            .map(|tally| tally.duplicate)
            .sum::<i64>(),
        0
    );
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_is_kept_shortened_and_the_next_one_is_taken() {
    let (catching, path) = catching_file().await;
    append(&path, &line(1));
    append(&path, &"x".repeat(9 << 20));
    append(&path, &format!("\n{}", line(2)));
    assert_eq!(until_queued(&catching, 3).await, ["e-1", "e-2"]);
    let (_, reasons) = catching.queued();
    assert_eq!(
        reasons,
        ["the line is longer than 1048576 bytes; its first 65536 are kept"]
    );
    catching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_or_is_none_is_told_and_tried_again() {
    let catching = Catching::start();
    let folder = catching.database.folder.path().to_path_buf();
    let path = folder.join("later.log");
    let none = catching
        .add("folder", &format!("file://{}", folder.display()), None)
        .await;
    let ems = catching
        .add("cloud", &format!("file://{}", path.display()), None)
        .await;
    let status = catching.until_state(&none, CatcherState::BackingOff).await;
    assert!(status.reason.unwrap().ends_with("it is no plain file"));
    let status = catching.until_state(&ems, CatcherState::BackingOff).await;
    assert!(status.reason.unwrap().contains("No such file"));
    append(&path, &line(1));
    assert_eq!(until_queued(&catching, 1).await, ["e-1"]);
    catching.stop().await;
}
