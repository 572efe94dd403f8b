//! The little of libzmq's C interface that is measured, made safe.
//!
//! Checked against `zmq.h` of 4.3.5. A `Socket` is used by the thread that made
//! it only (it is not `Send`), as zmq_socket(3) asks.

use std::ffi::{CStr, CString, c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use ferromq::CurveKeys;

use super::api::Api;
use crate::peers::{Failure, Kind};

const ZMQ_SUBSCRIBE: c_int = 6;
const ZMQ_LINGER: c_int = 17;
const ZMQ_SNDHWM: c_int = 23;
const ZMQ_LAST_ENDPOINT: c_int = 32;
const ZMQ_CURVE_SERVER: c_int = 47;
const ZMQ_CURVE_PUBLICKEY: c_int = 48;
const ZMQ_CURVE_SECRETKEY: c_int = 49;
const ZMQ_CURVE_SERVERKEY: c_int = 50;
const ZMQ_XPUB_NODROP: c_int = 69;
const ZMQ_SNDMORE: c_int = 2;

/// Socket types, by `zmq.h`'s numbers.
fn number(kind: Kind) -> c_int {
    match kind {
        Kind::Pub => 1,
        Kind::Sub => 2,
        Kind::Req => 3,
        Kind::Rep => 4,
        Kind::Dealer => 5,
        Kind::Router => 6,
        Kind::Pull => 7,
        Kind::Push => 8,
    }
}

/// The error of the last call that failed in this thread, in words.
#[derive(Debug)]
pub(crate) struct ZmqError(String);

impl ZmqError {
    #[cold]
    fn last(api: &Api) -> Self {
        // SAFETY: zmq_errno has no preconditions.
        let number = unsafe { (api.zmq_errno)() };
        // SAFETY: zmq_strerror accepts any number and returns a static string.
        let text = unsafe { (api.zmq_strerror)(number) };
        // SAFETY: that string is never null and ends in a NUL.
        let text = unsafe { CStr::from_ptr(text) };
        Self(text.to_string_lossy().into_owned())
    }

    #[inline]
    fn check(api: &Api, result: c_int) -> Result<c_int, Self> {
        if result < 0 {
            Err(Self::last(api))
        } else {
            Ok(result)
        }
    }
}

impl fmt::Display for ZmqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "libzmq: {}", self.0)
    }
}

impl std::error::Error for ZmqError {}

/// A context with one I/O thread, libzmq's default.
#[derive(Clone)]
pub(crate) struct Context {
    api: &'static Api,
    context: Arc<Handle>,
}

struct Handle(NonNull<c_void>, &'static Api);

// SAFETY: a context may be used by any thread (zmq_ctx_new(3)).
unsafe impl Send for Handle {}
// SAFETY: as above, and by several at once.
unsafe impl Sync for Handle {}

impl Context {
    pub(crate) fn new(api: &'static Api) -> Result<Self, ZmqError> {
        // SAFETY: zmq_ctx_new has no preconditions.
        let context = unsafe { (api.zmq_ctx_new)() };
        let context = NonNull::new(context).ok_or_else(|| ZmqError::last(api))?;
        Ok(Self {
            api,
            context: Arc::new(Handle(context, api)),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Self(context, api) = self;
        // SAFETY: made by zmq_ctx_new and terminated once. Each socket holds an
        // Arc of this, so all of them are closed and this does not block.
        unsafe { (api.zmq_ctx_term)(context.as_ptr()) };
    }
}

/// A socket, and the message that it receives into.
pub(crate) struct Socket {
    api: &'static Api,
    socket: NonNull<c_void>,
    received: Message,
    _context: Arc<Handle>,
}

/// Passes messages on from one to the other until the context ends.
pub(crate) fn forward(front: &Socket, back: &Socket) -> Result<(), ZmqError> {
    let (api, none) = (front.api, ptr::null_mut());
    // SAFETY: both sockets are live, and this thread's; there is no third.
    let ended = unsafe { (api.zmq_proxy)(front.socket.as_ptr(), back.socket.as_ptr(), none) };
    ZmqError::check(api, ended).map(drop)
}

impl Socket {
    /// A socket that drops what is unsent when it is closed: the jobs wait for
    /// the receiver's word before they close.
    pub(crate) fn new(context: &Context, kind: Kind) -> Result<Self, ZmqError> {
        let Context { api, context } = context.clone();
        // SAFETY: the context is live.
        let socket = unsafe { (api.zmq_socket)(context.0.as_ptr(), number(kind)) };
        let socket = NonNull::new(socket).ok_or_else(|| ZmqError::last(api))?;
        let socket = Self {
            api,
            socket,
            received: Message::new(api),
            _context: context,
        };
        socket.set_int(ZMQ_LINGER, 0)?;
        Ok(socket)
    }

    /// PUB: sends wait for a subscriber that is full.
    pub(crate) fn never_drop(&self) -> Result<(), ZmqError> {
        self.set_int(ZMQ_XPUB_NODROP, 1)
    }

    pub(crate) fn queue_without_limit(&self) -> Result<(), ZmqError> {
        self.set_int(ZMQ_SNDHWM, 0)
    }

    /// Takes encrypted connections only, of whoever knows the public key.
    pub(crate) fn be_curve_server(&self, keys: &CurveKeys) -> Result<(), Failure> {
        self.has_curve()?;
        self.set_int(ZMQ_CURVE_SERVER, 1)?;
        Ok(self.set_bytes(ZMQ_CURVE_SECRETKEY, keys.secret.expose())?)
    }

    pub(crate) fn be_curve_client(
        &self,
        server: &CurveKeys,
        keys: &CurveKeys,
    ) -> Result<(), Failure> {
        self.has_curve()?;
        self.set_bytes(ZMQ_CURVE_SERVERKEY, &server.public.0)?;
        self.set_bytes(ZMQ_CURVE_PUBLICKEY, &keys.public.0)?;
        Ok(self.set_bytes(ZMQ_CURVE_SECRETKEY, keys.secret.expose())?)
    }

    fn has_curve(&self) -> Result<(), Failure> {
        // SAFETY: zmq_has reads a string that ends in a NUL.
        match unsafe { (self.api.zmq_has)(c"curve".as_ptr()) } {
            1 => Ok(()),
            _ => Err("built without CURVE (Debian: apt-get install libsodium-dev)".into()),
        }
    }

    pub(crate) fn subscribe(&self, prefix: &[u8]) -> Result<(), ZmqError> {
        self.set_bytes(ZMQ_SUBSCRIBE, prefix)
    }

    fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), ZmqError> {
        // SAFETY: the socket is live and the option's value is `value`.
        let set = unsafe {
            (self.api.zmq_setsockopt)(
                self.socket.as_ptr(),
                option,
                value.as_ptr().cast(),
                value.len(),
            )
        };
        ZmqError::check(self.api, set).map(drop)
    }

    /// Binds, and returns the endpoint with the port that the system chose.
    pub(crate) fn bind(&self, endpoint: &str) -> Result<String, Failure> {
        let endpoint = CString::new(endpoint)?;
        // SAFETY: the socket is live and the string ends in a NUL.
        ZmqError::check(self.api, unsafe {
            (self.api.zmq_bind)(self.socket.as_ptr(), endpoint.as_ptr())
        })?;
        self.last_endpoint()
    }

    /// Connects, in the background.
    pub(crate) fn connect(&self, endpoint: &str) -> Result<(), Failure> {
        let endpoint = CString::new(endpoint)?;
        // SAFETY: the socket is live and the string ends in a NUL.
        ZmqError::check(self.api, unsafe {
            (self.api.zmq_connect)(self.socket.as_ptr(), endpoint.as_ptr())
        })?;
        Ok(())
    }

    /// Copies `body` into a message and sends it.
    #[inline]
    pub(crate) fn send(&mut self, body: &[u8]) -> Result<(), ZmqError> {
        // SAFETY: the socket is live, and `body` is only read, during the call.
        let sent = unsafe {
            (self.api.zmq_send)(self.socket.as_ptr(), body.as_ptr().cast(), body.len(), 0)
        };
        ZmqError::check(self.api, sent).map(drop)
    }

    /// Sends `body` without copying it.
    #[inline]
    pub(crate) fn send_shared(&mut self, body: &'static [u8]) -> Result<(), ZmqError> {
        let mut message = Message::sharing(self.api, body)?;
        self.send_message(&mut message, 0)
    }

    /// Receives into this socket's message and returns its length in bytes.
    #[inline]
    pub(crate) fn recv(&mut self) -> Result<usize, ZmqError> {
        // SAFETY: the socket is live and the message initialised; zmq_msg_recv
        // releases what it held.
        let received =
            unsafe { (self.api.zmq_msg_recv)(&mut self.received.0, self.socket.as_ptr(), 0) };
        // A length beyond an int is reported wrongly by libzmq; none is sent.
        ZmqError::check(self.api, received).map(|len| len as usize)
    }

    /// Sends the frame that was received last, which is empty afterwards, and
    /// says whether more of its message follow.
    #[inline]
    pub(crate) fn send_back(&mut self) -> Result<bool, ZmqError> {
        // SAFETY: the message is initialised.
        let more = unsafe { (self.api.zmq_msg_more)(&self.received.0) } != 0;
        let mut message = std::mem::replace(&mut self.received, Message::new(self.api));
        self.send_message(&mut message, if more { ZMQ_SNDMORE } else { 0 })?;
        Ok(more)
    }

    #[inline]
    fn send_message(&mut self, message: &mut Message, flags: c_int) -> Result<(), ZmqError> {
        // SAFETY: the socket is live and the message initialised. On success
        // libzmq takes the content and leaves an empty message to close.
        let sent = unsafe { (self.api.zmq_msg_send)(&mut message.0, self.socket.as_ptr(), flags) };
        ZmqError::check(self.api, sent).map(drop)
    }

    fn set_int(&self, option: c_int, value: c_int) -> Result<(), ZmqError> {
        let value = ptr::from_ref(&value).cast();
        // SAFETY: the socket is live and `value` points to an int of that size.
        let set = unsafe {
            (self.api.zmq_setsockopt)(self.socket.as_ptr(), option, value, size_of::<c_int>())
        };
        ZmqError::check(self.api, set).map(drop)
    }

    fn last_endpoint(&self) -> Result<String, Failure> {
        let mut text = [0_u8; 256];
        let mut len = text.len();
        // SAFETY: the socket is live; libzmq writes at most `len` bytes to the
        // buffer and their number to `len`.
        let got = unsafe {
            (self.api.zmq_getsockopt)(
                self.socket.as_ptr(),
                ZMQ_LAST_ENDPOINT,
                text.as_mut_ptr().cast(),
                &mut len,
            )
        };
        ZmqError::check(self.api, got)?;
        Ok(CStr::from_bytes_until_nul(&text)?.to_str()?.to_owned())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: made by zmq_socket and closed once, here.
        unsafe { (self.api.zmq_close)(self.socket.as_ptr()) };
    }
}

/// `zmq_msg_t`, always initialised.
///
/// libzmq's own messages are moved by memcpy in its queues, so moving one in
/// Rust is no different.
struct Message(zmq_msg_t, &'static Api);

impl Message {
    #[inline]
    fn new(api: &'static Api) -> Self {
        let mut message = zmq_msg_t([0; 64]);
        // SAFETY: the storage is live, of the size and alignment in zmq.h.
        unsafe { (api.zmq_msg_init)(&mut message) };
        Self(message, api)
    }

    #[inline]
    fn sharing(api: &'static Api, body: &'static [u8]) -> Result<Self, ZmqError> {
        let mut message = zmq_msg_t([0; 64]);
        // SAFETY: the storage is as in `new`. The body lives for ever, so that
        // no function to free it is given; it is only sent, never written to.
        let initialised = unsafe {
            (api.zmq_msg_init_data)(
                &mut message,
                body.as_ptr().cast_mut().cast(),
                body.len(),
                None,
                ptr::null_mut(),
            )
        };
        ZmqError::check(api, initialised)?;
        Ok(Self(message, api))
    }
}

impl Drop for Message {
    #[inline]
    fn drop(&mut self) {
        let Self(message, api) = self;
        // SAFETY: initialised by a constructor, and closed once.
        unsafe { (api.zmq_msg_close)(message) };
    }
}

#[allow(non_camel_case_types, reason = "the C name")]
#[repr(C, align(8))]
pub(crate) struct zmq_msg_t([u8; 64]);
