//! Sockets: S1 to S4.

use std::{sync::Arc, time::Duration};

use ports::{Error, MAX_FRAME};
use tokio::time::timeout;

use crate::{
    Subject,
    support::{Outcome, checks, ensure},
};

checks! {
    "S1" "messages come in order, each once" ordered;
    "S2" "a closed connection stays gone" gone;
    "S3" "a message over the limit is refused" limit;
    "S4" "a slow connection holds up nobody else" slow;
}

async fn ordered(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let mut peer = subject.connect().await;
    let id = peer.id().to_owned();
    let before = ports.sockets.last_activity(&id).await?;
    for number in 0..20 {
        ports.sockets.send(&id, format!("message {number}")).await?;
    }
    for number in 0..20 {
        let message = timeout(subject.patience(), peer.recv()).await?;
        ensure!(message == Some(format!("message {number}")), "message {number} is {message:?}");
    }
    let more = timeout(Duration::from_millis(50), peer.recv()).await;
    ensure!(more.is_err(), "more came than was sent: {more:?}");
    let after = ports.sockets.last_activity(&id).await?;
    ensure!(after >= before, "the last activity went back from {before} to {after}");
    Ok(())
}

async fn gone(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (mut closed, left) = (subject.connect().await, subject.connect().await);
    let ids = [closed.id().to_owned(), left.id().to_owned(), "never-was".to_owned()];
    ports.sockets.close(&ids[0]).await?;
    ports.sockets.close(&ids[0]).await?;
    let end = timeout(subject.patience(), closed.recv()).await?;
    ensure!(end.is_none(), "a closed connection received {end:?}");
    drop(left);
    for id in &ids {
        for _ in 0..2 {
            // That the device left is noticed in its time.
            let sending = async {
                while ports.sockets.send(id, "anybody there?".to_owned()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(subject.patience(), sending).await?;
            let sent = ports.sockets.send(id, "anybody there?".to_owned()).await;
            ensure!(matches!(sent, Err(Error::Gone)), "a send to what is gone: {sent:?}");
        }
        let active = ports.sockets.last_activity(id).await;
        ensure!(matches!(active, Err(Error::Gone)), "the activity of what is gone: {active:?}");
    }
    Ok(())
}

async fn limit(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let mut peer = subject.connect().await;
    let refused = ports.sockets.send(peer.id(), "x".repeat(MAX_FRAME + 1)).await;
    ensure!(matches!(refused, Err(Error::Invalid(_))), "a message too large: {refused:?}");
    ports.sockets.send(peer.id(), "x".repeat(MAX_FRAME)).await?;
    let message = timeout(subject.patience(), peer.recv()).await?;
    let length = message.map(|message| message.len());
    ensure!(length == Some(MAX_FRAME), "the largest message came with {length:?} bytes");
    Ok(())
}

async fn slow(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (slow, mut quick) = (subject.connect().await, subject.connect().await);
    let flood = {
        let (sockets, id) = (Arc::clone(&ports.sockets), slow.id().to_owned());
        tokio::spawn(async move {
            // Ends when the connection is given up, or stops when it must wait.
            while sockets.send(&id, "x".repeat(1000)).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let exchanged = async {
        ports.sockets.send(quick.id(), "quick".to_owned()).await?;
        Ok::<_, Error>(quick.recv().await)
    };
    let received = timeout(subject.patience(), exchanged).await;
    flood.abort();
    let received = received??;
    ensure!(received.as_deref() == Some("quick"), "beside a slow connection came {received:?}");
    Ok(())
}
