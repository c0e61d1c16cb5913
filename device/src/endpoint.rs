//! Where the platform is: its socket, and its routes beside it.

use reqwest::Url;

/// The addresses that follow from the one that people give.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `ws(s)://…/ws`.
    pub socket: String,
    /// `http(s)://…`, under which `/api/v1` is.
    base: Url,
}

impl Endpoint {
    /// Accepts `http(s)://host` and `ws(s)://host`, with or without a path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let example = "for example http://127.0.0.1:3000 or wss://dcmp.example.com/ws";
        let url = Url::parse(text)
            .map_err(|error| format!("`{text}` is not a URL ({error}); {example}"))?;
        let (socket, http, direct) = match url.scheme() {
            "http" => ("ws", "http", false),
            "https" => ("wss", "https", false),
            "ws" => ("ws", "http", true),
            "wss" => ("wss", "https", true),
            other => {
                return Err(format!(
                    "`{other}://` is not supported; use http, https, ws or wss, {example}"
                ));
            }
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("`{text}` names no host; {example}"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            // it would end up in logs
            return Err("the URL must not carry a key; give it apart from the URL".to_owned());
        }
        let path = url.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/ws").unwrap_or(path);
        // a gateway's socket has a path of its own, such as `/prod`
        let socket_path =
            if direct && !path.is_empty() { path.to_owned() } else { format!("{prefix}/ws") };
        let at = |scheme: &str, path: &str| {
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            format!("{scheme}://{}{port}{path}", url.host_str().unwrap_or_default())
        };
        let base =
            Url::parse(&at(http, &format!("{prefix}/"))).map_err(|error| error.to_string())?;
        Ok(Self { socket: at(socket, &socket_path), base })
    }

    /// The route that gives a model to a device that has a task for it. `api` is where the platform says
    /// that its routes are, if it does: a gateway's socket has a host of its own.
    pub(crate) fn model(&self, api: Option<&Url>, id: &str, version: u32, task: &str) -> Url {
        let mut url = api.unwrap_or(&self.base).clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .pop_if_empty()
            .extend(["api", "v1", "models", id, "download"]);
        url.query_pairs_mut()
            .append_pair("version", &version.to_string())
            .append_pair("task", task);
        url
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_follow_from_one() {
        for (given, socket, model) in [
            ("http://127.0.0.1:3000", "ws://127.0.0.1:3000/ws", "http://127.0.0.1:3000/api"),
            ("https://d.example/", "wss://d.example/ws", "https://d.example/api"),
            ("ws://[::1]:3000/ws", "ws://[::1]:3000/ws", "http://[::1]:3000/api"),
            ("wss://d.example", "wss://d.example/ws", "https://d.example/api"),
            (
                "wss://x.aws.example/prod",
                "wss://x.aws.example/prod",
                "https://x.aws.example/prod/api",
            ),
            ("https://d.example/dcmp", "wss://d.example/dcmp/ws", "https://d.example/dcmp/api"),
        ] {
            let endpoint = Endpoint::parse(given).unwrap();
            assert_eq!(endpoint.socket, socket);
            let expected = format!("{model}/v1/models/m%2F1/download?version=3&task=t%261");
            assert_eq!(endpoint.model(None, "m/1", 3, "t&1").as_str(), expected);
            for api in ["https://api.example/v2", "https://api.example/v2/"] {
                let api = Url::parse(api).unwrap();
                let expected = "https://api.example/v2/api/v1/models/m/download?version=3&task=t";
                assert_eq!(endpoint.model(Some(&api), "m", 3, "t").as_str(), expected);
            }
        }
    }

    #[test]
    fn wrong_addresses_are_explained() {
        for (given, word) in [
            ("127.0.0.1:3000", "for example"),
            ("localhost:3000", "not supported"),
            ("ftp://d.example", "not supported"),
            ("ws://d.example/ws?token=secret", "must not carry a key"),
            ("https://key@d.example", "must not carry a key"),
        ] {
            let error = Endpoint::parse(given).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
