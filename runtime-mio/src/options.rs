//! What can be set on a socket.

mod security;

use std::time::Duration;

use ferromq_transport::LinkOptions;
use ferromq_wire::{Limits, SocketType};

pub(crate) use self::security::{Credentials, PlainUsers};

use crate::security::AddressRules;
use crate::{Error, Fabric};

/// The options of one socket, with ZeroMQ's names and defaults except where a
/// field says otherwise.
///
/// They are given when the socket is made, or changed later with
/// [`AnySocket::set_options`](crate::AnySocket::set_options).
///
/// ```
/// use ferromq_mio::Options;
/// use std::time::Duration;
/// let options = Options::new()
///     .send_high_water_mark(10_000)
///     .linger(Some(Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) name: String,
    pub(crate) identity: Vec<u8>,
    pub(crate) send_high_water_mark: usize,
    pub(crate) receive_high_water_mark: usize,
    pub(crate) send_bytes_limit: usize,
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect_min: Duration,
    pub(crate) reconnect_max: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) limits: Limits,
    pub(crate) max_subscriptions: u32,
    pub(crate) max_subscription_bytes: u64,
    pub(crate) max_total_subscriptions: u32,
    pub(crate) immediate: bool,
    pub(crate) conflate: bool,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) receive_timeout: Option<Duration>,
    pub(crate) req_correlate: bool,
    pub(crate) req_relaxed: bool,
    pub(crate) router_mandatory: bool,
    pub(crate) router_handover: bool,
    pub(crate) probe_router: bool,
    pub(crate) connect_routing_id: Option<Vec<u8>>,
    pub(crate) xpub_verbose: bool,
    pub(crate) xpub_verboser: bool,
    pub(crate) xpub_manual: bool,
    pub(crate) pub_no_drop: bool,
    pub(crate) welcome_message: Option<Vec<u8>>,
    pub(crate) invert_matching: bool,
    pub(crate) credentials: Credentials,
    pub(crate) zap_domain: Option<String>,
    pub(crate) authentication_timeout: Duration,
    pub(crate) addresses: AddressRules,
    pub(crate) properties: Vec<(String, Vec<u8>)>,
    pub(crate) crc: bool,
    pub(crate) by_reference: bool,
    pub(crate) extensions: bool,
    pub(crate) switch: bool,
    pub(crate) fabric: Option<Fabric>,
    pub(crate) link: LinkOptions,
}

/// When to ask a silent peer for a sign of life (37/ZMTP, heartbeats).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heartbeat {
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
}

/// Bytes that may wait in one pipe, each way, before it counts as full: 32 MiB. With
/// messages of 10 MiB, four of which fill it, and the caller's own, a process stays
/// below 64 MiB.
pub(crate) const PIPE_BYTES: usize = 32 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            name: String::new(),
            identity: Vec::new(),
            send_high_water_mark: 1000,
            receive_high_water_mark: 1000,
            send_bytes_limit: PIPE_BYTES,
            linger: Some(Duration::from_secs(30)),
            reconnect_min: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            heartbeat: Heartbeat::default(),
            limits: Limits::default(),
            max_subscriptions: 1 << 20,
            max_subscription_bytes: 64 << 20,
            max_total_subscriptions: 1 << 22,
            immediate: false,
            conflate: false,
            send_timeout: None,
            receive_timeout: None,
            req_correlate: false,
            req_relaxed: false,
            router_mandatory: false,
            router_handover: false,
            probe_router: false,
            connect_routing_id: None,
            xpub_verbose: false,
            xpub_verboser: false,
            xpub_manual: false,
            pub_no_drop: false,
            welcome_message: None,
            invert_matching: false,
            credentials: Credentials::Null,
            zap_domain: None,
            authentication_timeout: Duration::from_secs(2),
            addresses: AddressRules::default(),
            properties: Vec::new(),
            crc: false,
            by_reference: true,
            extensions: true,
            switch: true,
            fabric: None,
            link: LinkOptions::default(),
        }
    }
}

/// Writes one builder method a line: `doc, name(argument: type) => field`.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(mut self, value: $type) -> Self {
            self.$name = value;
            self
        })*
    };
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Messages that may wait for one peer before it is full; 0 is no
        /// limit (ZMQ_SNDHWM). Default 1000.
        send_high_water_mark: usize;
        /// Decoded messages that may wait from one peer (ZMQ_RCVHWM); 0 is no
        /// limit but that of bytes, 32 MiB, which always holds and to which a
        /// frame counts 64 bytes besides its own. Up to one receive block
        /// (128 KiB) more may wait undecoded. Default 1000.
        receive_high_water_mark: usize;
        /// Payload bytes that may wait for one peer before it is full; an
        /// empty pipe takes one message of any size. Default 32 MiB.
        send_bytes_limit: usize;
        /// How long `close` keeps trying to send what is queued; `None` is for
        /// ever, zero discards (ZMQ_LINGER). Default 30 s.
        linger: Option<Duration>;
        /// Total time a connection has to finish its handshake; no byte
        /// received prolongs it (ZMQ_HANDSHAKE_IVL). Default 10 s.
        handshake_timeout: Duration;
        /// Time that whoever decides on a peer has for it: an
        /// [`Authenticator`](crate::Authenticator), or the context's ZAP
        /// handler. The peer is turned away then. At most the handshake's time, and an hour.
        /// Default 2 s.
        authentication_timeout: Duration;
        /// Queue only to connections that stand (ZMQ_IMMEDIATE). Default off.
        immediate: bool;
        /// Keep the last message only, each way (ZMQ_CONFLATE); for PUSH, PULL,
        /// PUB, SUB and DEALER. Default off.
        conflate: bool;
        /// Bound of a blocking send; `None` waits for ever (ZMQ_SNDTIMEO).
        send_timeout: Option<Duration>;
        /// Bound of a blocking receive; `None` waits for ever (ZMQ_RCVTIMEO).
        receive_timeout: Option<Duration>;
        /// REQ: prefix requests with an id and skip replies to others
        /// (ZMQ_REQ_CORRELATE). Default off.
        req_correlate: bool;
        /// REQ: a new request may be sent before the reply came
        /// (ZMQ_REQ_RELAXED). Default off.
        req_relaxed: bool;
        /// PUB, XPUB, RADIO: different subscriptions, or groups, accepted from
        /// one peer; beyond, it is disconnected. Default 1,048,576.
        max_subscriptions: u32;
        /// PUB, XPUB, RADIO: bytes of topics accepted from one peer. Default
        /// 64 MiB.
        max_subscription_bytes: u64;
        /// PUB, XPUB, RADIO: different subscriptions accepted from all peers
        /// together. Default 4,194,304.
        max_total_subscriptions: u32;
        /// ROUTER: an unknown identity is an error instead of a counted drop
        /// (ZMQ_ROUTER_MANDATORY). Default off.
        router_mandatory: bool;
        /// ROUTER: a new peer takes over an identity in use
        /// (ZMQ_ROUTER_HANDOVER). Default off.
        router_handover: bool;
        /// REQ, DEALER, ROUTER: send an empty message first on each connection
        /// (ZMQ_PROBE_ROUTER). Default off.
        probe_router: bool;
        /// XPUB: pass on duplicate subscriptions too (ZMQ_XPUB_VERBOSE).
        xpub_verbose: bool;
        /// XPUB: pass on duplicate subscriptions and unsubscriptions
        /// (ZMQ_XPUB_VERBOSER).
        xpub_verboser: bool;
        /// XPUB: subscriptions take effect only when the application says so
        /// (ZMQ_XPUB_MANUAL).
        xpub_manual: bool;
        /// PUB, XPUB: a full subscriber makes the send block instead of losing
        /// the message for it (ZMQ_XPUB_NODROP). Default off.
        pub_no_drop: bool;
        /// PUB, XPUB, SUB: deliver what does *not* match
        /// (ZMQ_INVERT_MATCHING). Set it on both ends. Default off.
        invert_matching: bool;
        /// Offer a checksum after every frame to peers that know it. Default
        /// off.
        crc: bool;
        /// Payloads from 64 KiB, and loans, are read where they lie by FerroMQ peers
        /// who can reach them (`shm://`), instead of going through the connection.
        /// Default on; never beside `crc` or CURVE.
        by_reference: bool;
        /// Offer extensions to the peer at all. Default on: plain ZeroMQ
        /// peers ignore the offer.
        extensions: bool;
        /// Move connections to peers of our kind on this machine to a shorter path,
        /// shared memory, where the context does that
        /// ([`ContextBuilder::switching`](crate::ContextBuilder::switching)). Default
        /// on; off, they do not move to a [`fabric`](Self::fabric) either.
        switch: bool;
    }

    /// A name for people who look at the context's sockets: at most 255 bytes,
    /// never sent to a peer. Default none.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The identity that ROUTER peers know this socket by: 1 to 255 bytes, the
    /// first not zero (ZMQ_ROUTING_ID).
    #[must_use]
    pub fn identity(mut self, identity: impl Into<Vec<u8>>) -> Self {
        self.identity = identity.into();
        self
    }

    /// First and longest delay between attempts to connect; every delay is
    /// shortened by a random part of up to a half (ZMQ_RECONNECT_IVL and
    /// _MAX). Default 100 ms and 30 s.
    #[must_use]
    pub fn reconnect_interval(mut self, min: Duration, max: Duration) -> Self {
        self.reconnect_min = min.max(Duration::from_millis(1));
        self.reconnect_max = max.max(self.reconnect_min);
        self
    }

    /// Asks a peer for a sign of life after `interval` and gives it up after
    /// `timeout` more (the interval, when `None`); `ttl` tells the peer to do
    /// the same to us (ZMQ_HEARTBEAT_IVL, _TIMEOUT, _TTL). Default off.
    #[must_use]
    pub fn heartbeat(
        mut self,
        interval: Duration,
        timeout: Option<Duration>,
        ttl: Option<Duration>,
    ) -> Self {
        let interval = (!interval.is_zero()).then_some(interval);
        self.heartbeat = Heartbeat {
            interval,
            timeout,
            ttl,
        };
        self
    }

    /// Longest frame accepted from a peer, in bytes (ZMQ_MAXMSGSIZE). Default
    /// 4 GiB.
    #[must_use]
    pub fn max_frame_size(mut self, bytes: u64) -> Self {
        self.limits.frame = bytes;
        self
    }

    /// Longest whole message accepted from a peer: payload plus 16 bytes a
    /// frame. Default 4 GiB.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Self {
        self.limits.message = bytes;
        self
    }

    /// Most frames accepted in one message. Default 1,024.
    #[must_use]
    pub fn max_parts(mut self, parts: u32) -> Self {
        self.limits.parts = parts;
        self
    }

    /// ROUTER: the identity of the peer of the next `connect`, usable at once
    /// (ZMQ_CONNECT_ROUTING_ID).
    #[must_use]
    pub fn connect_routing_id(mut self, identity: impl Into<Vec<u8>>) -> Self {
        self.connect_routing_id = Some(identity.into());
        self
    }

    /// PUB, XPUB: the first message that each new subscriber gets
    /// (ZMQ_XPUB_WELCOME_MSG).
    #[must_use]
    pub fn welcome_message(mut self, message: impl Into<Vec<u8>>) -> Self {
        self.welcome_message = Some(message.into());
        self
    }

    /// Adds a property to our metadata; its name should start with `X-`
    /// (37/ZMTP). Peers read it from each message.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Move `tcp://` connections to peers of our kind to `rdma://`, where both ends have
    /// a device and both ask for it. Where it cannot be, the connection stays, and
    /// [`EventKind::FabricUnavailable`](crate::EventKind::FabricUnavailable) says why.
    /// `None`, the default: what the context says
    /// ([`ContextBuilder::fabric`](crate::ContextBuilder::fabric)).
    #[must_use]
    pub fn fabric(mut self, fabric: impl Into<Option<Fabric>>) -> Self {
        self.fabric = fabric.into();
        self
    }

    /// What the transports are told: keepalive, buffers, backlog, nodelay.
    #[must_use]
    pub fn link(mut self, link: LinkOptions) -> Self {
        self.link = link;
        self
    }

    /// The first option that decides how the pattern works and is not as in
    /// `old`.
    pub(crate) fn settled_option_changed(&self, old: &Self) -> Option<&'static str> {
        let each = self.max_subscriptions != old.max_subscriptions;
        let bytes = self.max_subscription_bytes != old.max_subscription_bytes;
        let total = self.max_total_subscriptions != old.max_total_subscriptions;
        let pairs = [
            ("conflate", self.conflate, old.conflate),
            ("req_correlate", self.req_correlate, old.req_correlate),
            ("req_relaxed", self.req_relaxed, old.req_relaxed),
            ("xpub_verbose", self.xpub_verbose, old.xpub_verbose),
            ("xpub_verboser", self.xpub_verboser, old.xpub_verboser),
            ("xpub_manual", self.xpub_manual, old.xpub_manual),
            ("invert_matching", self.invert_matching, old.invert_matching),
            ("max_subscriptions", each, false),
            ("max_subscription_bytes", bytes, false),
            ("max_total_subscriptions", total, false),
        ];
        let changed = pairs.iter().find(|(_, new, old)| new != old);
        changed.map(|(name, ..)| *name)
    }

    /// Refuses what cannot be, naming the option.
    pub(crate) fn check(&self, socket_type: SocketType) -> Result<(), Error> {
        let refuse = |option, reason: &str| {
            Err(Error::Option {
                option,
                reason: reason.into(),
            })
        };
        if self.name.len() > 255 {
            return refuse("name", "longer than 255 bytes");
        }
        if self.identity.len() > 255 {
            return refuse("identity", "longer than 255 bytes");
        }
        if self.identity.first() == Some(&0) {
            return refuse("identity", "starts with a zero byte, which is reserved");
        }
        if self.zap_domain.as_ref().is_some_and(|it| it.len() > 255) {
            return refuse("zap_domain", "longer than 255 bytes");
        }
        let conflates = matches!(
            socket_type,
            SocketType::Push
                | SocketType::Pull
                | SocketType::Pub
                | SocketType::Sub
                | SocketType::Dealer
        );
        if self.conflate && !conflates {
            return refuse("conflate", "only for PUSH, PULL, PUB, SUB and DEALER");
        }
        Ok(())
    }
}
