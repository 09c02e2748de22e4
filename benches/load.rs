//! Events as a cloud sends them, and callers that send them over connections that stay open.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

/// So many objects the events are about in their turn, and so often, before others come. About ten events merge
/// into one target, and never are so many alike that flood control folds them.
const OBJECTS: usize = 4_000;
const TIMES: usize = 10;

/// An event about one of the objects, about 1.4 KB: the size of a call that a real cloud records.
pub(crate) fn event(number: usize) -> String {
    let (vm, seconds) = (vm(number), number / 40);
    let tags: Vec<String> = (0..8)
        .map(|tag| format!(r#"{{"key":"cost-center-{tag}","value":"department-{tag}-of-{vm}"}}"#))
        .collect();
    let disks: Vec<String> = (0..4)
        .map(|disk| format!(r#"{{"device":"/dev/vd{disk}","bytes":10737418240,"kind":"network-ssd"}}"#))
        .collect();
    format!(
        r#"{{"id":"e-{number:09}","event_name":"com.awesomecloud.vm.create","time":"2026-03-{:02}T{:02}:{:02}:{:02}Z","region":"eu-north-1","account":"123456789012","user":{{"name":"deployer","role":"arn:awesome:iam::123456789012:role/deployer","address":"198.51.100.17","agent":"awesome-cli/2.15.0 Linux/6.18"}},"request":{{"count":1,"image":"img-0a1b2c3d4e5f60718","flavor":"general.large","key_name":"deployer","network":{{"assign_public_ip":false,"security_groups":["sg-default","sg-web"]}}}},"vm":{{"id":"{vm}","name":"web-{vm}","state":"running","cores":4,"memory_bytes":17179869184,"tags":[{}],"disks":[{}]}}}}"#,
        1 + seconds / 86_400 % 28,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        tags.join(","),
        disks.join(","),
    )
}

/// The object that an event is about.
pub(crate) fn vm(number: usize) -> String {
    let others = number / (OBJECTS * TIMES) * OBJECTS;
    format!("vm-{:08}", others + number % OBJECTS)
}

/// A request that brings these events.
pub(crate) fn request(events: &[String]) -> Vec<u8> {
    let body = match events {
        [only] => only.clone(),
        several => format!("[{}]", several.join(",")),
    };
    let head = format!(
        "POST /events/bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// Somebody who sends a request, waits for its answer, and sends the next one.
pub(crate) struct Caller {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Caller {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            answer: Vec::new(),
        }
    }

    /// Sends a request; returns once it is acknowledged.
    pub(crate) fn post(&mut self, request: &[u8]) {
        self.stream.write_all(request).unwrap();
        self.answer.clear();
        while !self.is_whole() {
            let mut bytes = [0; 4096];
            let length = self.stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "the connection was closed");
            self.answer.extend_from_slice(&bytes[..length]);
        }
        assert!(
            self.answer.starts_with(b"HTTP/1.1 202 "),
            "{}",
            String::from_utf8_lossy(&self.answer)
        );
    }

    fn is_whole(&self) -> bool {
        let text = String::from_utf8_lossy(&self.answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        length.is_some_and(|(_, length)| length.parse::<usize>().unwrap() <= body.len())
    }
}
