//! Messages: the frames that travel together, and whom they came from.

use crate::frame::Frame;
use std::fmt;

/// A message: frames that are sent, routed and delivered together.
///
/// One frame is the usual case and takes no allocation; several take a vector.
/// Made from whatever a frame is made from, or from an array, a vector or a
/// slice of those:
///
/// ```
/// use ferromq_mio::{Frame, Message};
///
/// let one = Message::from("hello");
/// assert_eq!((one.len(), one.frame(0).unwrap()), (1, &Frame::from("hello")));
///
/// let mut many = Message::from(["address", ""]);
/// many.push_back(vec![0; 1024]);
/// assert_eq!(many.iter().map(|frame| frame.len()).collect::<Vec<_>>(), [7, 0, 1024]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Frames);

/// `Many` holds any number: a message that shrank to one frame stays `Many`.
#[derive(Clone)]
enum Frames {
    One(Frame),
    Many(Vec<Frame>),
}

impl Message {
    /// A message without frames, to push some. It cannot be sent as it is.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self(Frames::Many(Vec::new()))
    }

    /// The frames, in order.
    #[inline]
    #[must_use]
    pub fn parts(&self) -> &[Frame] {
        match &self.0 {
            Frames::One(frame) => std::slice::from_ref(frame),
            Frames::Many(frames) => frames,
        }
    }

    pub(crate) fn parts_mut(&mut self) -> &mut [Frame] {
        match &mut self.0 {
            Frames::One(frame) => std::slice::from_mut(frame),
            Frames::Many(frames) => frames,
        }
    }

    /// How many frames there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts().len()
    }

    /// Whether there is no frame. (A message with one empty frame is not empty.)
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    /// The frame at `index`, counted from 0.
    #[inline]
    #[must_use]
    pub fn frame(&self, index: usize) -> Option<&Frame> {
        self.parts().get(index)
    }

    /// The frames, in order.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Frame> {
        self.parts().iter()
    }

    /// Bytes of all bodies together. O(frames).
    #[inline]
    #[must_use]
    pub fn body_len(&self) -> usize {
        match &self.0 {
            Frames::One(frame) => frame.len(),
            Frames::Many(frames) => frames.iter().map(|frame| frame.len()).sum(),
        }
    }

    /// The peer that the message came from; `None` for one made here.
    ///
    /// It is the last frame's: a ROUTER puts an identity in front that it made
    /// itself.
    #[inline]
    #[must_use]
    pub fn peer(&self) -> Option<&PeerInfo> {
        self.parts().last()?.origin()
    }

    /// Appends a frame. A second frame allocates the vector.
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        self.frames_mut().push(frame.into());
    }

    /// Puts a frame in front, as an envelope does. O(frames).
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        self.frames_mut().insert(0, frame.into());
    }

    /// Takes the first frame off.
    pub fn pop_front(&mut self) -> Option<Frame> {
        let frames = self.frames_mut();
        if frames.is_empty() {
            None
        } else {
            Some(frames.remove(0))
        }
    }

    /// The frames themselves, in order.
    #[inline]
    #[must_use]
    pub fn into_frames(self) -> IntoFrames {
        IntoFrames(match self.0 {
            Frames::One(frame) => Remaining::One(Some(frame)),
            Frames::Many(frames) => Remaining::Many(frames.into_iter()),
        })
    }

    fn frames_mut(&mut self) -> &mut Vec<Frame> {
        if let Frames::One(frame) = &mut self.0 {
            let mut frames = Vec::with_capacity(2);
            frames.push(std::mem::take(frame));
            self.0 = Frames::Many(frames);
        }
        match &mut self.0 {
            Frames::Many(frames) => frames,
            Frames::One(_) => unreachable!("replaced above"),
        }
    }
}

impl Default for Message {
    /// A message without frames.
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Frames {
    fn eq(&self, other: &Self) -> bool {
        fn parts(frames: &Frames) -> &[Frame] {
            match frames {
                Frames::One(frame) => std::slice::from_ref(frame),
                Frames::Many(frames) => frames,
            }
        }
        parts(self) == parts(other)
    }
}

impl Eq for Frames {}

impl fmt::Debug for Message {
    /// The frames' lengths and printable heads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message ")?;
        f.debug_list().entries(self.parts()).finish()
    }
}

impl From<Frame> for Message {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self(Frames::One(frame))
    }
}

/// A message of one frame, made of what a frame is made of.
macro_rules! from_one_frame {
    ($($source:ty),+ $(,)?) => {$(
        impl From<$source> for Message {
            /// One frame.
            #[inline]
            fn from(source: $source) -> Self {
                Self::from(Frame::from(source))
            }
        }
    )+};
}

from_one_frame!(
    &Frame,
    &[u8],
    &str,
    &String,
    &Vec<u8>,
    Vec<u8>,
    String,
    Box<[u8]>
);

impl<const N: usize> From<&[u8; N]> for Message {
    /// One frame.
    #[inline]
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(Frame::from(bytes))
    }
}

impl<P: Into<Frame>> From<Vec<P>> for Message {
    /// A frame of each part.
    fn from(parts: Vec<P>) -> Self {
        parts.into_iter().collect()
    }
}

impl<P: Into<Frame>, const N: usize> From<[P; N]> for Message {
    /// A frame of each part.
    fn from(parts: [P; N]) -> Self {
        parts.into_iter().collect()
    }
}

impl<'a, P> From<&'a [P]> for Message
where
    &'a P: Into<Frame>,
{
    /// A frame of each part.
    fn from(parts: &'a [P]) -> Self {
        parts.iter().collect()
    }
}

impl From<&Message> for Message {
    /// Other handles of the same frames.
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

impl<P: Into<Frame>> FromIterator<P> for Message {
    fn from_iter<I: IntoIterator<Item = P>>(parts: I) -> Self {
        Self(Frames::Many(parts.into_iter().map(Into::into).collect()))
    }
}

impl<P: Into<Frame>> Extend<P> for Message {
    fn extend<I: IntoIterator<Item = P>>(&mut self, parts: I) {
        self.frames_mut().extend(parts.into_iter().map(Into::into));
    }
}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = IntoFrames;

    #[inline]
    fn into_iter(self) -> IntoFrames {
        self.into_frames()
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a Frame;
    type IntoIter = std::slice::Iter<'a, Frame>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The frames of a message, from [`Message::into_frames`].
#[derive(Debug)]
pub struct IntoFrames(Remaining);

#[derive(Debug)]
enum Remaining {
    One(Option<Frame>),
    Many(std::vec::IntoIter<Frame>),
}

impl Iterator for IntoFrames {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Remaining::One(frame) => frame.take(),
            Remaining::Many(frames) => frames.next(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Remaining::One(frame) => usize::from(frame.is_some()),
            Remaining::Many(frames) => frames.len(),
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for IntoFrames {}

/// What a peer said about itself in its handshake, and what we know of it.
///
/// One a connection, shared by all frames that come over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    identity: Box<[u8]>,
    socket_type: &'static str,
    address: Box<str>,
    user_id: Option<Box<str>>,
    properties: Vec<(Box<str>, Box<[u8]>)>,
}

impl PeerInfo {
    /// A peer of that socket type (as [`socket_type`](Self::socket_type) says
    /// it) at that address, without identity, user or properties.
    pub(crate) fn new(socket_type: &'static str, address: impl Into<Box<str>>) -> Self {
        Self {
            identity: Box::default(),
            socket_type,
            address: address.into(),
            user_id: None,
            properties: Vec::new(),
        }
    }

    /// Sets the identity.
    pub(crate) fn with_identity(mut self, identity: &[u8]) -> Self {
        self.identity = identity.into();
        self
    }

    /// Sets the user whom the mechanism authenticated.
    pub(crate) fn with_user_id(mut self, user_id: impl Into<Box<str>>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// Adds a metadata property.
    pub(crate) fn with_property(mut self, name: impl Into<Box<str>>, value: &[u8]) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The `Identity` that the peer announced: at most 255 bytes, empty if none.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The `Socket-Type` that the peer announced, such as `"DEALER"`; empty if
    /// none.
    #[must_use]
    pub fn socket_type(&self) -> &str {
        self.socket_type
    }

    /// Where the peer is, as an endpoint: `tcp://192.0.2.7:41234`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whom the security mechanism says the peer is: PLAIN's user name, or what
    /// the authenticator answered. `None` without authentication.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The value of a metadata property, by its name without regard to case
    /// (37/ZMTP, Metadata). O(properties).
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All metadata properties, in the peer's order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties
            .iter()
            .map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
