//! What a ZeroMQ peer may expect, byte by byte: sockets under test against a
//! peer that shares no code with them.
//!
//! Each test names the row that it covers, as section and number:
//! `c24_no_message_before_the_peers_ready`. 23, 24, 28, 29, 30, 31, 37, 41, 48,
//! 49, 51 and 52 in the comments are ZeroMQ RFCs.

mod a_greeting;
mod b_framing;
mod c_handshake;
mod d_plain;
mod e_heartbeats;
mod f_dealer_router;
mod f_request_reply;
mod g_publish;
mod g_subscribe;
mod h_lifetime;
mod h_queues;
mod h_reconnecting;
mod hostile;
mod hostile_patience;
mod i_drafts;
mod security;
mod table;
mod x_extensions;
