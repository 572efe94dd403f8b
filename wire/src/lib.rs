//! ZMTP 3.1 as a sans-IO codec: greeting, handshake, frames, commands, heartbeats.
