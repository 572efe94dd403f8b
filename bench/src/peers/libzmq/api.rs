//! libzmq's C functions: those that are linked, and those of a library that is
//! loaded when the program runs.

use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;

use super::ffi::zmq_msg_t;
use crate::peers::Failure;

/// What Debian and its children call the library.
const SYSTEM_LIBRARY: &str = "libzmq.so.5";

pub(crate) type FreeFn = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

/// Declares the functions once, as a table, as linked symbols, and as names to
/// look up.
macro_rules! functions {
    ($(fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?;)*) => {
        /// The functions that are used, of one of the builds.
        pub(crate) struct Api {
            $(pub(crate) $name: unsafe extern "C" fn($($type),*) $(-> $out)?,)*
        }

        #[cfg(have_libzmq)]
        mod symbols {
            use super::*;

            unsafe extern "C" {
                $(pub(super) fn $name($($arg: $type),*) $(-> $out)?;)*
            }
        }

        #[cfg(have_libzmq)]
        static LINKED: Api = Api { $($name: symbols::$name,)* };

        impl Api {
            /// Looks the functions up in `library`, which is never closed.
            fn of(library: &'static Library) -> Result<Self, Failure> {
                Ok(Self {
                    // SAFETY: the symbols of a library that calls itself
                    // libzmq.so.5 have the types of zmq.h, declared below.
                    $($name: *unsafe { library.get(stringify!($name).as_bytes()) }?,)*
                })
            }
        }
    };
}

functions! {
    fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    fn zmq_errno() -> c_int;
    fn zmq_strerror(number: c_int) -> *const c_char;
    fn zmq_has(capability: *const c_char) -> c_int;

    fn zmq_ctx_new() -> *mut c_void;
    fn zmq_ctx_term(context: *mut c_void) -> c_int;

    fn zmq_socket(context: *mut c_void, kind: c_int) -> *mut c_void;
    fn zmq_close(socket: *mut c_void) -> c_int;
    fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    fn zmq_setsockopt(socket: *mut c_void, option: c_int, value: *const c_void, len: usize) -> c_int;
    fn zmq_getsockopt(socket: *mut c_void, option: c_int, value: *mut c_void, len: *mut usize) -> c_int;
    fn zmq_proxy(front: *mut c_void, back: *mut c_void, capture: *mut c_void) -> c_int;

    fn zmq_send(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int;
    fn zmq_msg_send(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_recv(message: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_more(message: *const zmq_msg_t) -> c_int;
    fn zmq_msg_init(message: *mut zmq_msg_t) -> c_int;
    fn zmq_msg_init_data(message: *mut zmq_msg_t, data: *mut c_void, len: usize, free: Option<FreeFn>, hint: *mut c_void) -> c_int;
    fn zmq_msg_close(message: *mut zmq_msg_t) -> c_int;
}

/// The build that is linked.
pub(crate) fn linked() -> Result<&'static Api, Failure> {
    #[cfg(have_libzmq)]
    return Ok(&LINKED);
    #[cfg(not(have_libzmq))]
    Err("left out".into())
}

/// The distribution's build.
pub(crate) fn system() -> Result<&'static Api, Failure> {
    static LOADED: OnceLock<Result<Api, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| load().map_err(|failure| failure.to_string()));
    loaded.as_ref().map_err(|reason| reason.as_str().into())
}

/// Why the distribution's libzmq cannot be measured, if it cannot.
pub(crate) fn absence_of_system() -> Option<String> {
    let failure = system().err()?;
    Some(format!(
        "not installed (Debian: apt-get install libzmq5): {failure}"
    ))
}

/// The version of the build that is linked, and how it was built.
pub(crate) fn version() -> String {
    match (linked(), option_env!("BENCH_LIBZMQ")) {
        (Ok(api), how) => format!("{} ({})", version_of(api), how.unwrap_or("how, unknown")),
        (Err(_), _) => "left out".to_owned(),
    }
}

/// The version of the distribution's build, if there is one.
pub(crate) fn system_version() -> Option<String> {
    Some(version_of(system().ok()?))
}

fn version_of(api: &Api) -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three pointers are to live integers, and only written to.
    unsafe { (api.zmq_version)(&mut major, &mut minor, &mut patch) };
    format!("{major}.{minor}.{patch}")
}

fn load() -> Result<Api, Failure> {
    // SAFETY: libzmq's initialisers have no preconditions.
    let library = unsafe { Library::new(SYSTEM_LIBRARY) }?;
    Api::of(Box::leak(Box::new(library)))
}
