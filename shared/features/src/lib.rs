//! Nothing but features. Cargo builds a crate again for every set of features that is asked of it; the
//! command, `xtask` and the fuzzing depend on this crate, so that what `cargo test` has built serves
//! them too. <https://doc.rust-lang.org/cargo/reference/resolver.html#features>
