//! An answer that is sent in two halves, so that a test can have the process end between them.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use axum::response::Response;
use hyper::body::Body as HttpBody;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::SizeHint;

use crate::crash_point::crash_point;

/// The same answer, its body in two frames with a flush between them.
pub(crate) fn half_sent(response: Response) -> Response {
    response.map(|body| {
        Body::new(HalfSent {
            body,
            rest: None,
            is_flushed: false,
        })
    })
}

struct HalfSent {
    body: Body,
    rest: Option<Bytes>,
    is_flushed: bool,
}

impl HttpBody for HalfSent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_some() && !self.is_flushed {
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(rest) = self.rest.take() {
            crash_point!("intake.answer_half_sent");
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map_ok(|frame| match frame.into_data() {
            Ok(mut whole) => {
                self.rest = Some(whole.split_off(whole.len() / 2));
                Frame::data(whole)
            }
            Err(frame) => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(0, Bytes::len);
        match self.body.size_hint().exact() {
            Some(body) => SizeHint::with_exact(body + u64::try_from(rest).unwrap_or_default()),
            None => SizeHint::default(),
        }
    }
}
