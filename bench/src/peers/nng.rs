//! The distribution's libnng, over nng's own SP protocols: it speaks no ZMTP.
//!
//! Loaded when the program runs, for a build would need CMake. Where a protocol
//! can have a queue it gets one of 1,000 messages, for by default it has none;
//! nng_send(3) copies, nng_recv(3) hands a buffer over (NNG_FLAG_ALLOC).

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;

use super::{Failure, Kind, Peer};
use crate::job::Job;

/// What Debian and its children call the library.
const LIBRARY: &str = "libnng.so.1";
/// nng_recv(3) gives a buffer of its own, to be freed by nng_free.
const NNG_FLAG_ALLOC: c_int = 1;
/// Messages that may wait, where the protocol has a queue.
const QUEUE: c_int = 1_000;
const ANY_PORT: &str = "tcp://127.0.0.1:0";

/// An nng_socket: a number, passed as a structure of one.
#[derive(Clone, Copy)]
#[repr(C)]
struct Id(u32);

#[derive(Clone, Copy)]
#[repr(C)]
struct ListenerId(u32);

type Open = unsafe extern "C" fn(socket: *mut Id) -> c_int;

/// The functions that are used.
struct Api {
    nng_version: unsafe extern "C" fn() -> *const c_char,
    nng_strerror: unsafe extern "C" fn(c_int) -> *const c_char,
    nng_push0_open: Open,
    nng_pull0_open: Open,
    nng_req0_open: Open,
    nng_rep0_open: Open,
    nng_listen: unsafe extern "C" fn(Id, *const c_char, *mut ListenerId, c_int) -> c_int,
    nng_dial: unsafe extern "C" fn(Id, *const c_char, *mut ListenerId, c_int) -> c_int,
    nng_listener_get_int: unsafe extern "C" fn(ListenerId, *const c_char, *mut c_int) -> c_int,
    nng_socket_set_size: unsafe extern "C" fn(Id, *const c_char, usize) -> c_int,
    nng_socket_set_int: unsafe extern "C" fn(Id, *const c_char, c_int) -> c_int,
    nng_send: unsafe extern "C" fn(Id, *mut c_void, usize, c_int) -> c_int,
    nng_recv: unsafe extern "C" fn(Id, *mut c_void, *mut usize, c_int) -> c_int,
    nng_free: unsafe extern "C" fn(*mut c_void, usize),
    nng_close: unsafe extern "C" fn(Id) -> c_int,
}

/// A socket of nng.
pub(crate) struct Nng {
    api: &'static Api,
    socket: Id,
}

impl Peer for Nng {
    type Context = ();

    fn context(_: &Job) -> Result<(), Failure> {
        api().map(drop)
    }

    fn bind((): &(), kind: Kind, endpoint: &str, _: &Job) -> Result<(Self, String), Failure> {
        let socket = Self::new(kind)?;
        let wanted = match endpoint.starts_with("tcp:") {
            true => ANY_PORT,
            false => endpoint,
        };
        let wanted = CString::new(wanted)?;
        let mut listener = ListenerId(0);
        // SAFETY: the socket is open, the address ends in a NUL, and the
        // listener's number is written to a live variable.
        let listening =
            unsafe { (socket.api.nng_listen)(socket.socket, wanted.as_ptr(), &mut listener, 0) };
        socket.check(listening)?;
        let bound = match endpoint.starts_with("tcp:") {
            true => format!("tcp://127.0.0.1:{}", socket.port(listener)?),
            false => endpoint.to_owned(),
        };
        Ok((socket, bound))
    }

    fn connect((): &(), kind: Kind, endpoint: &str, _: &Job) -> Result<Self, Failure> {
        let socket = Self::new(kind)?;
        let endpoint = CString::new(endpoint)?;
        // SAFETY: the socket is open and the address ends in a NUL; nobody
        // wants the dialer's number.
        let dialed = unsafe {
            (socket.api.nng_dial)(socket.socket, endpoint.as_ptr(), std::ptr::null_mut(), 0)
        };
        socket.check(dialed)?;
        Ok(socket)
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        let (data, len) = (body.as_ptr().cast_mut().cast(), body.len());
        // SAFETY: without NNG_FLAG_ALLOC the body is only read, and copied.
        self.check(unsafe { (self.api.nng_send)(self.socket, data, len, 0) })
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        let (data, len) = self.receive()?;
        // SAFETY: nng_recv gave the buffer with this length, to be freed once.
        unsafe { (self.api.nng_free)(data, len) };
        Ok(len)
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        let (data, len) = self.receive()?;
        // SAFETY: the buffer came from nng_recv with NNG_FLAG_ALLOC, and nng
        // takes it back here.
        let sent = unsafe { (self.api.nng_send)(self.socket, data, len, NNG_FLAG_ALLOC) };
        self.check(sent)?;
        Ok(len)
    }

    fn subscribe(&mut self, _: &'static [u8]) -> Result<(), Failure> {
        Err("not measured".into())
    }
}

impl Nng {
    fn new(kind: Kind) -> Result<Self, Failure> {
        let api = api()?;
        let open = match kind {
            Kind::Push => api.nng_push0_open,
            Kind::Pull => api.nng_pull0_open,
            Kind::Req => api.nng_req0_open,
            Kind::Rep => api.nng_rep0_open,
            kind => return Err(format!("it has no {kind:?}").into()),
        };
        let mut socket = Self { api, socket: Id(0) };
        // SAFETY: the number is written to a live variable.
        let opened = unsafe { open(&mut socket.socket) };
        socket.check(opened)?;
        // Its default limit is 1 MiB; zero is none.
        // SAFETY: the socket is open and the name ends in a NUL.
        let set = unsafe { (api.nng_socket_set_size)(socket.socket, c"recv-size-max".as_ptr(), 0) };
        socket.check(set)?;
        for queue in [c"send-buffer", c"recv-buffer"] {
            // Not every protocol has both: those that have not stay without.
            // SAFETY: the socket is open and the name ends in a NUL.
            unsafe { (api.nng_socket_set_int)(socket.socket, queue.as_ptr(), QUEUE) };
        }
        Ok(socket)
    }

    #[inline]
    fn receive(&mut self) -> Result<(*mut c_void, usize), Failure> {
        let mut data: *mut c_void = std::ptr::null_mut();
        let mut len = 0;
        let place = (&raw mut data).cast();
        // SAFETY: with NNG_FLAG_ALLOC `place` is where a pointer is written to.
        let received = unsafe { (self.api.nng_recv)(self.socket, place, &mut len, NNG_FLAG_ALLOC) };
        self.check(received)?;
        Ok((data, len))
    }

    fn port(&self, listener: ListenerId) -> Result<c_int, Failure> {
        let mut port = 0;
        let name = c"tcp-bound-port".as_ptr();
        // SAFETY: the listener is live, and an int is written to a live one.
        self.check(unsafe { (self.api.nng_listener_get_int)(listener, name, &mut port) })?;
        Ok(port)
    }

    #[inline]
    fn check(&self, result: c_int) -> Result<(), Failure> {
        if result == 0 {
            return Ok(());
        }
        // SAFETY: nng_strerror accepts any number and returns a static string.
        let text = unsafe { (self.api.nng_strerror)(result) };
        // SAFETY: that string is never null and ends in a NUL.
        let text = unsafe { CStr::from_ptr(text) };
        Err(format!("libnng: {}", text.to_string_lossy()).into())
    }
}

impl Drop for Nng {
    fn drop(&mut self) {
        // SAFETY: open, and closed once.
        unsafe { (self.api.nng_close)(self.socket) };
    }
}

/// Why libnng cannot be measured, if it cannot.
pub(crate) fn absence() -> Option<String> {
    let failure = api().err()?;
    Some(format!(
        "not installed (Debian: apt-get install libnng1): {failure}"
    ))
}

/// The library's version, if it is there.
pub(crate) fn version() -> Option<String> {
    let api = api().ok()?;
    // SAFETY: nng_version has no preconditions.
    let text = unsafe { (api.nng_version)() };
    // SAFETY: it returned a static string that ends in a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

fn api() -> Result<&'static Api, Failure> {
    static LOADED: OnceLock<Result<Api, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| load().map_err(|failure| failure.to_string()));
    loaded.as_ref().map_err(|reason| reason.as_str().into())
}

fn load() -> Result<Api, Failure> {
    // SAFETY: libnng's initialisers have no preconditions.
    let library: &Library = Box::leak(Box::new(unsafe { Library::new(LIBRARY) }?));
    macro_rules! table {
        ($($name:ident),*) => {
            // SAFETY: the symbols of a library that calls itself libnng.so.1
            // have the types of nng.h 1.5, as declared in `Api`.
            Api { $($name: *unsafe { library.get(stringify!($name).as_bytes()) }?,)* }
        };
    }
    Ok(table!(
        nng_version,
        nng_strerror,
        nng_push0_open,
        nng_pull0_open,
        nng_req0_open,
        nng_rep0_open,
        nng_listen,
        nng_dial,
        nng_listener_get_int,
        nng_socket_set_size,
        nng_socket_set_int,
        nng_send,
        nng_recv,
        nng_free,
        nng_close
    ))
}
