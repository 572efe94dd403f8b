//! rdma:// for FerroMQ: the place in the picture, not built yet.
