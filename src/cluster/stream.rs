//! The lines of a WATCH as they arrive.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;

use super::api::{ApiError, chain};

/// Longer lines are no objects: etcd keeps none above 1.5 MB, and JSON is at most a few times that.
const LONGEST_LINE: usize = 32 << 20;

/// The answer to a watch, line by line. Dropping the future of [`Lines::next`] loses nothing.
pub struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// Where the next line begins, and up to where no end of a line was found.
    start: usize,
    searched: usize,
}

impl Lines {
    /// Nothing read yet.
    pub fn new(body: Body) -> Self {
        Lines { body, buffer: Vec::new(), start: 0, searched: 0 }
    }

    /// The next line; none when the server has ended the watch. It waits no longer than `idle` for a sign of life.
    ///
    /// # Errors
    /// A connection that broke or fell silent.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<&[u8]>, ApiError> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end.map(|end| self.searched + end) {
                let line = self.start..end;
                (self.start, self.searched) = (end + 1, end + 1);
                return Ok(Some(&self.buffer[line]));
            }
            self.buffer.drain(..self.start);
            (self.start, self.searched) = (0, self.buffer.len());
            if self.buffer.len() > LONGEST_LINE {
                return Err(ApiError::Unavailable("an event without an end".to_owned()));
            }
            let frame = tokio::time::timeout(idle, self.body.frame()).await;
            match frame.map_err(|_| ApiError::Unavailable(format!("the watch was silent for {idle:?}")))? {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(ApiError::Unavailable(chain(&error))),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_told_one_by_one_and_half_a_line_is_none() {
        let mut lines = Lines::new(Body::from(b"one\n\ntwo\nhal".to_vec()));
        let second = Duration::from_secs(1);
        for expected in [Some(&b"one"[..]), Some(b""), Some(b"two"), None] {
            assert_eq!(lines.next(second).await, Ok(expected));
        }
    }
}
