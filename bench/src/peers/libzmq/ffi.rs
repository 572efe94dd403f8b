//! The little of libzmq's C interface that is measured, made safe.
//!
//! Checked against `zmq.h` of 4.3.5. A `Socket` is used by the thread that made
//! it only (it is not `Send`), as zmq_socket(3) asks.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::peers::Failure;

/// Socket types, by `zmq.h`'s numbers.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Req = 3,
    Rep = 4,
    Pull = 7,
    Push = 8,
}

const ZMQ_LINGER: c_int = 17;
const ZMQ_LAST_ENDPOINT: c_int = 32;

/// The error of the last call that failed in this thread.
#[derive(Debug)]
pub(crate) struct ZmqError(c_int);

impl ZmqError {
    fn last() -> Self {
        // SAFETY: zmq_errno has no preconditions.
        Self(unsafe { zmq_errno() })
    }

    fn check(result: c_int) -> Result<c_int, Self> {
        if result < 0 {
            Err(Self::last())
        } else {
            Ok(result)
        }
    }
}

impl fmt::Display for ZmqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: zmq_strerror accepts any number and returns a static string.
        let text = unsafe { zmq_strerror(self.0) };
        // SAFETY: that string is never null and ends in a NUL.
        let text = unsafe { CStr::from_ptr(text) };
        write!(f, "libzmq: {}", text.to_string_lossy())
    }
}

impl std::error::Error for ZmqError {}

/// The library's version, as it reports it when it runs.
pub(crate) fn version() -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three pointers are to live integers, and only written to.
    unsafe { zmq_version(&mut major, &mut minor, &mut patch) };
    format!("{major}.{minor}.{patch}")
}

/// A context with one I/O thread, libzmq's default.
struct Context(NonNull<c_void>);

impl Context {
    fn new() -> Result<Rc<Self>, ZmqError> {
        // SAFETY: zmq_ctx_new has no preconditions.
        let context = unsafe { zmq_ctx_new() };
        NonNull::new(context)
            .map(|context| Rc::new(Self(context)))
            .ok_or_else(ZmqError::last)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by zmq_ctx_new and terminated once. Each socket holds an
        // Rc of this, so all of them are closed and this does not block.
        unsafe { zmq_ctx_term(self.0.as_ptr()) };
    }
}

/// A socket in a context of its own, and the message that it receives into.
pub(crate) struct Socket {
    socket: NonNull<c_void>,
    received: Message,
    _context: Rc<Context>,
}

impl Socket {
    /// A socket that drops what is unsent when it is closed: the jobs wait for
    /// the receiver's word before they close.
    pub(crate) fn new(kind: Kind) -> Result<Self, ZmqError> {
        let context = Context::new()?;
        // SAFETY: the context is live.
        let socket = unsafe { zmq_socket(context.0.as_ptr(), kind as c_int) };
        let socket = NonNull::new(socket).ok_or_else(ZmqError::last)?;
        let socket = Self {
            socket,
            received: Message::new(),
            _context: context,
        };
        socket.set_int(ZMQ_LINGER, 0)?;
        Ok(socket)
    }

    /// Binds, and returns the endpoint with the port that the system chose.
    pub(crate) fn bind(&self, endpoint: &str) -> Result<String, Failure> {
        let endpoint = CString::new(endpoint)?;
        // SAFETY: the socket is live and the string ends in a NUL.
        ZmqError::check(unsafe { zmq_bind(self.socket.as_ptr(), endpoint.as_ptr()) })?;
        self.last_endpoint()
    }

    /// Connects, in the background.
    pub(crate) fn connect(&self, endpoint: &str) -> Result<(), Failure> {
        let endpoint = CString::new(endpoint)?;
        // SAFETY: the socket is live and the string ends in a NUL.
        ZmqError::check(unsafe { zmq_connect(self.socket.as_ptr(), endpoint.as_ptr()) })?;
        Ok(())
    }

    /// Copies `body` into a message and sends it.
    #[inline]
    pub(crate) fn send(&mut self, body: &[u8]) -> Result<(), ZmqError> {
        // SAFETY: the socket is live, and `body` is only read, during the call.
        let sent = unsafe { zmq_send(self.socket.as_ptr(), body.as_ptr().cast(), body.len(), 0) };
        ZmqError::check(sent).map(drop)
    }

    /// Sends `body` without copying it.
    #[inline]
    pub(crate) fn send_shared(&mut self, body: &'static [u8]) -> Result<(), ZmqError> {
        let mut message = Message::sharing(body)?;
        self.send_message(&mut message)
    }

    /// Receives into this socket's message and returns its length in bytes.
    #[inline]
    pub(crate) fn recv(&mut self) -> Result<usize, ZmqError> {
        // SAFETY: the socket is live and the message initialised; zmq_msg_recv
        // releases what it held.
        let received = unsafe { zmq_msg_recv(&mut self.received.0, self.socket.as_ptr(), 0) };
        // A length beyond an int is reported wrongly by libzmq; none is sent.
        ZmqError::check(received).map(|len| len as usize)
    }

    /// Sends the message that was received last; it is empty afterwards.
    #[inline]
    pub(crate) fn send_back(&mut self) -> Result<(), ZmqError> {
        let mut message = std::mem::replace(&mut self.received, Message::new());
        self.send_message(&mut message)
    }

    #[inline]
    fn send_message(&mut self, message: &mut Message) -> Result<(), ZmqError> {
        // SAFETY: the socket is live and the message initialised. On success
        // libzmq takes the content and leaves an empty message to close.
        let sent = unsafe { zmq_msg_send(&mut message.0, self.socket.as_ptr(), 0) };
        ZmqError::check(sent).map(drop)
    }

    fn set_int(&self, option: c_int, value: c_int) -> Result<(), ZmqError> {
        let value = ptr::from_ref(&value).cast();
        // SAFETY: the socket is live and `value` points to an int of that size.
        let set =
            unsafe { zmq_setsockopt(self.socket.as_ptr(), option, value, size_of::<c_int>()) };
        ZmqError::check(set).map(drop)
    }

    fn last_endpoint(&self) -> Result<String, Failure> {
        let mut text = [0_u8; 256];
        let mut len = text.len();
        // SAFETY: the socket is live; libzmq writes at most `len` bytes to the
        // buffer and their number to `len`.
        let got = unsafe {
            zmq_getsockopt(
                self.socket.as_ptr(),
                ZMQ_LAST_ENDPOINT,
                text.as_mut_ptr().cast(),
                &mut len,
            )
        };
        ZmqError::check(got)?;
        Ok(CStr::from_bytes_until_nul(&text)?.to_str()?.to_owned())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: made by zmq_socket and closed once, here.
        unsafe { zmq_close(self.socket.as_ptr()) };
    }
}

/// `zmq_msg_t`, always initialised.
///
/// libzmq's own messages are moved by memcpy in its queues, so moving one in
/// Rust is no different.
struct Message(zmq_msg_t);

impl Message {
    #[inline]
    fn new() -> Self {
        let mut message = zmq_msg_t([0; 64]);
        // SAFETY: the storage is live, of the size and alignment in zmq.h.
        unsafe { zmq_msg_init(&mut message) };
        Self(message)
    }

    #[inline]
    fn sharing(body: &'static [u8]) -> Result<Self, ZmqError> {
        let mut message = zmq_msg_t([0; 64]);
        // SAFETY: the storage is as in `new`. The body lives for ever, so that
        // no function to free it is given; it is only sent, never written to.
        let initialised = unsafe {
            zmq_msg_init_data(
                &mut message,
                body.as_ptr().cast_mut().cast(),
                body.len(),
                None,
                ptr::null_mut(),
            )
        };
        ZmqError::check(initialised)?;
        Ok(Self(message))
    }
}

impl Drop for Message {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: initialised by a constructor, and closed once.
        unsafe { zmq_msg_close(&mut self.0) };
    }
}

#[allow(non_camel_case_types, reason = "the C name")]
#[repr(C, align(8))]
struct zmq_msg_t([u8; 64]);

type FreeFn = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

unsafe extern "C" {
    fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    fn zmq_errno() -> c_int;
    fn zmq_strerror(number: c_int) -> *const c_char;

    fn zmq_ctx_new() -> *mut c_void;
    fn zmq_ctx_term(context: *mut c_void) -> c_int;

    fn zmq_socket(context: *mut c_void, kind: c_int) -> *mut c_void;
    fn zmq_close(socket: *mut c_void) -> c_int;
    fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    fn zmq_setsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *const c_void,
        len: usize,
    ) -> c_int;
    fn zmq_getsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *mut c_void,
        len: *mut usize,
    ) -> c_int;

    fn zmq_send(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int;
    fn zmq_msg_send(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_recv(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_init(message: *mut zmq_msg_t) -> c_int;
    fn zmq_msg_init_data(
        message: *mut zmq_msg_t,
        data: *mut c_void,
        len: usize,
        free: Option<FreeFn>,
        hint: *mut c_void,
    ) -> c_int;
    fn zmq_msg_close(message: *mut zmq_msg_t) -> c_int;
}
