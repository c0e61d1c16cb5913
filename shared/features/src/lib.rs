//! Nothing but features. Cargo builds a crate again for every set of features that is asked of it; the
//! programs depend on this crate, so that what `cargo test` has built serves `cargo run -p dcmp` and
//! `cargo xtask` too. <https://doc.rust-lang.org/cargo/reference/resolver.html#features>
