//! Behaviour that users of this module rely on.
