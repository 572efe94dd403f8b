//! Links with the memory map of the board beside this file.

fn main() {
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-link-arg=-Tlink.x"); // of cortex-m-rt, includes memory.x
    println!("cargo::rerun-if-changed=memory.x");
}
