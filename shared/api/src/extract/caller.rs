//! Who calls: an extractor, so that a route without one is visibly open to everybody.

use std::{marker::PhantomData, ops::Deref};

use axum::extract::FromRequestParts;
use domain::access::Scope;
use http::request::Parts;
use service::{
    App,
    access::{self, Caller},
    sessions,
};

use crate::Error;

/// Scopes as types, for [`Customer`].
pub mod scope {
    use domain::access::Scope;

    /// A scope that a key must have.
    pub trait Needed: Send + Sync {
        /// Which.
        const SCOPE: Scope;
    }

    macro_rules! needed {
        ($($name:ident)*) => {$(
            #[doc = concat!("Keys with `Scope::", stringify!($name), "`.")]
            pub struct $name;
            impl Needed for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*};
    }
    needed!(Infer Models Devices);
}

/// A customer, by `X-API-Key`, whose key has the scope `S`.
pub struct Customer<S>(Caller, PhantomData<S>);

impl<S> Deref for Customer<S> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: scope::Needed> FromRequestParts<App> for Customer<S> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let secret = header(parts, "x-api-key")?.ok_or_else(|| missing("X-API-Key"))?;
        Ok(Self(access::authenticate(app, secret, S::SCOPE).await?, PhantomData))
    }
}

/// The operator, by `X-Admin-Key`.
pub struct Admin;

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let secret = header(parts, "x-admin-key")?.ok_or_else(|| missing("X-Admin-Key"))?;
        if access::is_admin(app, secret) {
            return Ok(Self);
        }
        let message = "the key in X-Admin-Key is not the operator's";
        Err(service::Error::AuthInvalid(message.to_owned()).into())
    }
}

/// A customer with the scope `models`, or a device by the token of its session, `X-SDK-Token`.
pub enum CustomerOrDevice {
    /// By `X-API-Key`.
    Customer(Caller),
    /// By `X-SDK-Token`: the device's id.
    Device(String),
}

impl FromRequestParts<App> for CustomerOrDevice {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if let Some(token) = header(parts, "x-sdk-token")? {
            return Ok(Self::Device(sessions::authenticate(app, token).await?));
        }
        let secret =
            header(parts, "x-api-key")?.ok_or_else(|| missing("X-API-Key (or X-SDK-Token)"))?;
        Ok(Self::Customer(access::authenticate(app, secret, Scope::Models).await?))
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(value) = parts.headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        service::Error::AuthInvalid(format!("the header {name} is not plain ASCII text"))
    })?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

fn missing(header: &str) -> service::Error {
    service::Error::AuthRequired(format!("send your key in the header {header}"))
}
