//! Where the platform is and which key opens it: what was said, else a profile of `dcmp login`, else
//! what `dcmp up` left on this machine. A key that was found is shown only to the platform that it was
//! found for.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use reqwest::Url;

use super::{Caller, Client};
use crate::{
    exit::usage,
    home::{self, Access},
    profiles::{Profile, Profiles},
};

/// Where `dcmp up` serves unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// How a command reaches the platform as a customer.
#[derive(clap::Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    place: Place,
    /// A customer's key [default: the one of the profile, or that `dcmp up` left]
    #[arg(long, env = "DCMP_API_KEY", hide_env_values = true, help_heading = "Connection")]
    api_key: Option<String>,
}

/// How a command reaches the platform as its operator.
#[derive(clap::Args)]
pub(crate) struct AdminConnection {
    #[command(flatten)]
    place: Place,
    /// The operator's key [default: the one of the profile, or that `dcmp up` left]
    #[arg(long, env = "ADMIN_KEY", hide_env_values = true, help_heading = "Connection")]
    admin_key: Option<String>,
}

#[derive(clap::Args)]
struct Place {
    /// The platform [default: that of the profile, else where the last `dcmp up` served, else
    /// http://127.0.0.1:3000]
    #[arg(long, env = "DCMP_URL", help_heading = "Connection")]
    url: Option<String>,
    /// A platform that you logged in to [default: the last one, unless --data is given]
    #[arg(long, env = "DCMP_PROFILE", value_name = "NAME", help_heading = "Connection")]
    profile: Option<String>,
    /// Data directory of a `dcmp up` on this machine, to find its address and keys
    #[arg(long, env = "DCMP_DATA", value_name = "DIR", help_heading = "Connection")]
    data: Option<PathBuf>,
}

/// A platform that was found on this machine, and the key to it if one was found.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    url: String,
    key: Option<String>,
}

impl Connection {
    /// A client of the platform.
    pub(crate) fn client(&self) -> Result<Client> {
        let found = self.place.found(Caller::Customer)?;
        let (url, key) = find(self.place.url.as_deref(), self.api_key.as_deref(), &found)?;
        let key = key.ok_or_else(|| missing(&url, "API key", "--api-key", "DCMP_API_KEY"))?;
        Client::new(&address(&url)?, Caller::Customer, &key)
    }

    /// The address and the key, for a device, which may also be given a socket's address. `data` is
    /// where a `dcmp up` on this machine keeps its own, if somebody said so.
    pub(crate) fn for_device(
        url: Option<&str>,
        api_key: Option<&str>,
        profile: Option<&str>,
        data: Option<&Path>,
    ) -> Result<(String, String)> {
        let mut found = Vec::new();
        if let Some(profile) = profile_of(profile, data)? {
            // the socket first: it is what a device connects to
            let urls = profile.socket_url.into_iter().chain([profile.url]);
            found.extend(urls.map(|url| Found { url, key: profile.api_key.clone() }));
        }
        found.extend(left_by_up(data, Caller::Customer)?);
        let (url, key) = find(url, api_key, &found)?;
        let key = key.ok_or_else(|| missing(&url, "API key", "--api-key", "DCMP_API_KEY"))?;
        Ok((url, key))
    }
}

impl AdminConnection {
    /// A client of the platform's administration.
    pub(crate) fn client(&self) -> Result<Client> {
        let found = self.place.found(Caller::Admin)?;
        let (url, key) = find(self.place.url.as_deref(), self.admin_key.as_deref(), &found)?;
        let key = key.ok_or_else(|| missing(&url, "operator's key", "--admin-key", "ADMIN_KEY"))?;
        Client::new(&address(&url)?, Caller::Admin, &key)
    }
}

impl Place {
    /// What was found, the likeliest first.
    fn found(&self, caller: Caller) -> Result<Vec<Found>> {
        let (profile, data) = (self.profile.as_deref(), self.data.as_deref());
        let profile = profile_of(profile, data)?.map(|profile| Found {
            url: profile.url,
            key: match caller {
                Caller::Customer => profile.api_key,
                Caller::Admin => profile.admin_key,
            },
        });
        Ok(profile.into_iter().chain(left_by_up(data, caller)?).collect())
    }
}

/// The profile that is named, else the current one, unless somebody said where a `dcmp up` is.
fn profile_of(name: Option<&str>, data: Option<&Path>) -> Result<Option<Profile>> {
    match name.filter(|name| !name.is_empty()) {
        None if data.is_some() => Ok(None),
        name => Profiles::read()?.pick(name),
    }
}

/// What the last `dcmp up` on this machine left.
fn left_by_up(data: Option<&Path>, caller: Caller) -> Result<Option<Found>> {
    let data = data.map_or_else(home::default_data, Path::to_path_buf);
    let access = Access::read(&data)?;
    Ok(access.map(|access| Found {
        url: access.url,
        key: Some(match caller {
            Caller::Customer => access.api_key,
            Caller::Admin => access.admin_key,
        }),
    }))
}

fn missing(url: &str, what: &str, flag: &str, variable: &str) -> anyhow::Error {
    usage(format!(
        "no {what} for {url}: give it with {flag} or {variable}, run `dcmp login --url {url}`, or start \
         `dcmp up` on this machine; of one that runs with --data DIR, set DCMP_DATA=DIR"
    ))
}

/// The address, and the key if there is one: given, or found for this address.
fn find(url: Option<&str>, key: Option<&str>, found: &[Found]) -> Result<(String, Option<String>)> {
    let given = |text: Option<&str>| text.map(str::to_owned).filter(|text| !text.is_empty());
    let key = given(key);
    let Some(url) = given(url) else {
        let first = found.first();
        let url = first.map_or(DEFAULT_URL, |found| &found.url).to_owned();
        return Ok((url, key.or_else(|| first.and_then(|found| found.key.clone()))));
    };
    let target = parse(&url)?;
    let found = found
        .iter()
        .filter(|found| parse(&found.url).is_ok_and(|place| same_platform(&target, &place)))
        .find_map(|found| found.key.clone());
    Ok((url, key.or(found)))
}

fn parse(text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.ok_or_else(|| {
        usage(format!(
            "`{text}` is not a URL; for example {DEFAULT_URL} or https://dcmp.example.com"
        ))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage("the URL must not carry a key; give it apart from the URL"));
    }
    Ok(url)
}

/// The API's address: without the part that every route begins with.
pub(crate) fn address(text: &str) -> Result<Url> {
    let mut url = parse(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(usage(format!("`{text}` is no address of an API; use http:// or https://")));
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether a URL leads to this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // what listens everywhere is reached here, too
    address.map_or(host == "localhost", |at| at.is_loopback() || at.is_unspecified())
}

fn same_platform(a: &Url, b: &Url) -> bool {
    let same_host = a.host_str() == b.host_str() || (is_local(a) && is_local(b));
    same_host && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A profile, and what a `dcmp up` left.
    fn here() -> [Found; 2] {
        let found = |url: &str, key: &str| Found { url: url.to_owned(), key: Some(key.to_owned()) };
        [found("https://d.example", "profile"), found("http://127.0.0.1:4000", "local")]
    }

    fn found(url: Option<&str>, key: Option<&str>) -> (String, Option<String>) {
        find(url, key, &here()).unwrap()
    }

    #[test]
    fn what_was_said_comes_before_what_was_found() {
        assert_eq!(found(None, None), ("https://d.example".into(), Some("profile".into())));
        assert_eq!(found(None, Some("mine")).1.as_deref(), Some("mine"));
        assert_eq!(found(Some("https://d.example"), Some("mine")).1.as_deref(), Some("mine"));
        let local = find(None, None, &here()[1..]).unwrap();
        assert_eq!(local, ("http://127.0.0.1:4000".into(), Some("local".into())));
        assert_eq!(find(None, None, &[]).unwrap(), (DEFAULT_URL.to_owned(), None));
        // an empty variable is as none
        assert_eq!(found(Some(""), Some("")), found(None, None));
    }

    #[test]
    fn a_found_key_is_not_shown_to_others() {
        for mine in ["http://localhost:4000", "ws://127.0.0.1:4000/ws", "http://[::1]:4000/"] {
            assert_eq!(found(Some(mine), None).1.as_deref(), Some("local"), "{mine}");
        }
        for theirs in ["https://d.example/api/v1", "wss://d.example/prod"] {
            assert_eq!(found(Some(theirs), None).1.as_deref(), Some("profile"), "{theirs}");
        }
        for other in ["http://127.0.0.1:3000", "http://d.example:4000", "https://e.example"] {
            assert_eq!(found(Some(other), None).1, None, "{other}");
        }
    }

    #[test]
    fn addresses_are_tidied_or_explained() {
        assert_eq!(address("http://d.example/api/v1/").unwrap().as_str(), "http://d.example/");
        assert_eq!(address("https://d.example/prod").unwrap().as_str(), "https://d.example/prod");
        for wrong in ["localhost:3000", "d.example", "ws://d.example", "http://key@d.example"] {
            let error = address(wrong).unwrap_err();
            assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage, "{wrong}");
        }
    }
}
