//! A platform behind a gateway that speaks TLS, as on AWS: devices by `wss`, callers by `https`.

use std::{process::Stdio, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    shell::Shell,
    support::{KEY, Options, Platform, Process, assert_close, eventually, mlp_case},
};

/// An authority of its own, and a server's configuration that it vouches for.
fn certified() -> (String, ServerConfig) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    (authority.pem(), config)
}

/// Takes TLS off each connection and hands it on to `platform`.
async fn terminate(listener: TcpListener, config: ServerConfig, platform: String) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((connection, _)) = listener.accept().await {
        let (acceptor, platform) = (acceptor.clone(), platform.clone());
        tokio::spawn(async move {
            // a client that does not trust the certificate ends here
            let Ok(mut connection) = acceptor.accept(connection).await else { return };
            let mut platform = TcpStream::connect(platform).await.unwrap();
            // either side may end it as it likes
            let _ = copy_bidirectional(&mut connection, &mut platform).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_callers_speak_tls_to_a_certificate_that_they_trust() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let platform = Platform::with(Options {
        own_device: false,
        public_url: Some(url.clone()),
        ..Options::default()
    });
    let (authority, config) = certified();
    let address = platform.url.strip_prefix("http://").unwrap().to_owned();
    let gateway = tokio::spawn(terminate(listener, config, address));

    let stranger = Shell::new().with("DCMP_URL", &url).with("DCMP_API_KEY", KEY);
    tokio::task::block_in_place(|| stranger.run(&["model", "list"]).refused(1, &["certificate"]));

    let shell = Shell::new().with("DCMP_URL", &url).with("DCMP_API_KEY", KEY);
    let trusted = shell.file("authority.pem", authority);
    let shell = shell.with("SSL_CERT_FILE", trusted.to_str().unwrap());
    let device = ["device", "--name", "afar", "--data", "device"];
    let device = Process::spawn(shell.command(&device).stdout(Stdio::null()));
    eventually("the device", || async { device.said().contains("connected to").then_some(()) })
        .await;
    platform.until_listed("afar", "idle").await;

    // the model's file comes to the device, and back to its owner, by the gateway too
    tokio::task::block_in_place(|| {
        shell.fixture("mlp.onnx");
        shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
        let (input, expected) = mlp_case();
        let job = shell.json(&["infer", "mlp", "--json", "--input", &input.to_string()]);
        assert_close(&job["result"], &expected);
        shell.run(&["model", "download", "mlp", "--output", "copy.onnx"]).ended(0);
        let copy = std::fs::read(shell.home().join("copy.onnx")).unwrap();
        assert_eq!(copy, crate::support::fixture("mlp.onnx"));
    });
    gateway.abort();
}
