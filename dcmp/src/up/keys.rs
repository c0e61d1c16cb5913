//! The keys that a platform on this machine begins with.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use protocol::rest::admin::{NewCustomer, NewKey};
use service::{App, Error, access};

use super::Args;
use crate::home::Access;

/// A key that somebody chose may be guessed, so it counts only where nobody else can reach it.
pub(super) fn check_chosen(key: &str, listen: SocketAddr) -> Result<()> {
    if key.trim().is_empty() {
        bail!("--api-key is empty; leave it out to have one made");
    }
    let strong = key.strip_prefix(access::KEY_PREFIX).is_some_and(|rest| rest.len() >= 32);
    if !listen.ip().is_loopback() && !strong {
        bail!(
            "--api-key accepts a text of your own only on a loopback address such as 127.0.0.1; \
             to serve {listen}, leave it out and take the key that is made"
        );
    }
    Ok(())
}

/// The operator's key: given, or as before, or new.
pub(super) fn admin(
    args: &Args,
    clock: &dyn ports::Clock,
    known: Option<&Access>,
) -> Result<String> {
    if let Some(key) = &args.admin_key {
        if key.trim().is_empty() {
            bail!("--admin-key is empty; leave it out to have one made");
        }
        return Ok(key.clone());
    }
    match known {
        Some(known) => Ok(known.admin_key.clone()),
        None => Ok(access::new_secret(clock, "dcmpadm_")),
    }
}

/// Makes sure that there is a customer with a key that works: the one given, the one of the last
/// start, or a new one.
pub(super) async fn first_customer(
    app: &App,
    chosen: Option<String>,
    known: Option<&Access>,
) -> Result<String> {
    let candidate = chosen.clone().or_else(|| known.map(|known| known.api_key.clone()));
    if let Some(key) = candidate {
        match access::identify(app, &key).await {
            Ok(_) => return Ok(key),
            Err(Error::AuthInvalid(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let customers = access::list_customers(app, None, 1).await?.customers;
    let customer = match customers.into_iter().next() {
        Some(customer) => customer,
        None => access::create_customer(app, &NewCustomer { name: "default".to_owned() }).await?,
    };
    let new = NewKey { name: Some("dcmp up".to_owned()), ..NewKey::default() };
    let key = match chosen {
        Some(secret) => access::create_key_with(app, &customer.id, &new, &secret).await?,
        None => access::create_key(app, &customer.id, &new).await?,
    };
    key.secret.context("a new key comes without its secret")
}
