//! An HTTP route: where it answers and with what, and apart from that what it says of itself, which
//! is text enough to weigh on a program that only serves it.

use axum::{handler::Handler, routing::MethodRouter};
use service::App;
use utoipa::openapi::path::HttpMethod;
use utoipa_axum::{PathItemExt, router::UtoipaMethodRouter};

/// Describes a handler: its schemas and its path, as its `#[utoipa::path]` says.
pub type Describe = fn() -> UtoipaMethodRouter<App>;

/// A handler with its place; made by [`routes!`](crate::routes).
#[derive(Clone)]
pub struct Http {
    pub(crate) method: HttpMethod,
    /// Without [`BASE_PATH`](crate::BASE_PATH).
    pub(crate) path: String,
    pub(crate) handler: MethodRouter<App>,
    /// Its description, made when it is asked for.
    #[cfg(feature = "openapi")]
    pub describe: Describe,
}

impl Http {
    /// The handler at the place that `P` names: one method, one path. Without the feature `openapi`
    /// nobody holds the description, and the linker leaves it out.
    pub fn new<P, H, T>(handler: H, describe: Describe) -> Self
    where
        P: utoipa::Path,
        H: Handler<T, App>,
        T: 'static,
    {
        let [method] = <[HttpMethod; 1]>::try_from(P::methods())
            .unwrap_or_else(|_| panic!("{} is declared with more than one method", P::path()));
        #[cfg(not(feature = "openapi"))]
        let _ = describe;
        Self {
            path: P::path(),
            handler: MethodRouter::new().on(method.to_method_filter(), handler),
            method,
            #[cfg(feature = "openapi")]
            describe,
        }
    }
}

/// The HTTP route of a handler that is declared with `#[utoipa::path]`.
#[macro_export]
macro_rules! routes {
    ($handler:ident) => {
        $crate::utoipa_axum::paste! {
            $crate::Http::new::<[<__path_ $handler>], _, _>(
                $handler,
                || $crate::utoipa_axum::routes!($handler),
            )
        }
    };
}
