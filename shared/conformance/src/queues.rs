//! Queues: Q1 to Q7. Times are whole seconds: SQS knows no others.

use std::time::Duration;

use ports::{Error, MAX_DELAY, MAX_MESSAGE, MAX_RECEIVES, Message, Ports};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Subject,
    support::{Failure, Outcome, checks, ensure, partition},
};

checks! {
    "Q1" "a sent message survives a crash" survives;
    "Q2" "a message comes, and not before its delay is over" delay;
    "Q3" "a received message is hidden for a while" hidden;
    "Q4" "a message that fails every time is laid aside" dead_letters;
    "Q5" "what is not deleted of a batch comes again, alone" apart;
    "Q6" "what is too late or too large is refused" limits;
    "Q7" "deleting twice is fine" gone;
}

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

/// The next message, hidden for `visibility`.
async fn next(
    ports: &Ports,
    queue: &str,
    visibility: Duration,
    patience: Duration,
) -> Result<Message, Failure> {
    let messages = ports.queues.receive(queue, 1, visibility, patience).await?;
    messages.into_iter().next().ok_or_else(|| Failure(format!("no message came from {queue}")))
}

/// That there is none to receive.
async fn none(ports: &Ports, queue: &str) -> Outcome {
    let messages = ports.queues.receive(queue, 10, LONG, Duration::ZERO).await?;
    ensure!(messages.is_empty(), "{messages:?} came from {queue}");
    Ok(())
}

async fn survives(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let queue = partition(&ports);
    let body = json!({"n": 1, "text": "ä\u{0}"});
    ports.queues.send(&queue, &body, Duration::ZERO).await?;
    drop(ports);
    subject.crash().await;
    let message = next(&subject.ports(), &queue, LONG, subject.patience()).await?;
    ensure!(message.body == body, "{body} came back as {}", message.body);
    Ok(())
}

async fn delay(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    let start = Instant::now();
    ports.queues.send(&queue, &json!("later"), 2 * SECOND).await?;
    ports.queues.send(&queue, &json!("now"), Duration::ZERO).await?;
    let first = next(&ports, &queue, LONG, subject.patience()).await?;
    ensure!(first.body == json!("now"), "{} came first", first.body);
    ensure!(first.receives == 1, "the first time is {}", first.receives);
    let second = next(&ports, &queue, LONG, subject.patience()).await?;
    ensure!(second.body == json!("later"), "{} came second", second.body);
    ensure!(start.elapsed() >= 2 * SECOND, "it came after {:?}, too early", start.elapsed());
    // One that begins to be visible while somebody waits already.
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ports.queues.send(&queue, &json!("woken"), Duration::ZERO).await
    };
    let (woken, sent) = tokio::join!(next(&ports, &queue, LONG, subject.patience()), late);
    sent?;
    let woken = woken?.body;
    ensure!(woken == json!("woken"), "{woken} came to who waited");
    Ok(())
}

async fn hidden(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    ports.queues.send(&queue, &json!(1), Duration::ZERO).await?;
    let start = Instant::now();
    let first = next(&ports, &queue, 2 * SECOND, subject.patience()).await?;
    none(&ports, &queue).await?;
    let second = next(&ports, &queue, LONG, subject.patience()).await?;
    ensure!(start.elapsed() >= 2 * SECOND, "it came again after {:?}", start.elapsed());
    ensure!(second.id == first.id && second.receives == 2, "{second:?} came again of {first:?}");
    none(&ports, &queue).await?;
    ports.queues.release(&queue, &second.receipt, Duration::ZERO).await?;
    let third = next(&ports, &queue, SECOND, subject.patience()).await?;
    ensure!(third.id == first.id && third.receives == 3, "{third:?} came after its release");
    ports.queues.delete(&queue, &third.receipt).await?;
    let left = ports.queues.receive(&queue, 10, LONG, 2 * SECOND).await?;
    ensure!(left.is_empty(), "a deleted message came again: {left:?}");
    Ok(())
}

async fn dead_letters(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    ports.queues.send(&queue, &json!({"poison": true}), Duration::ZERO).await?;
    let mut id = String::new();
    for time in 1..=MAX_RECEIVES {
        let message = next(&ports, &queue, LONG, subject.patience()).await?;
        ensure!(message.receives == time, "time {time} counts as {}", message.receives);
        ports.queues.release(&queue, &message.receipt, Duration::ZERO).await?;
        id = message.id;
    }
    none(&ports, &queue).await?;
    let letter = next(&ports, &format!("{queue}-dead"), LONG, subject.patience()).await?;
    let right = letter.id == id && letter.body == json!({"poison": true});
    ensure!(right, "the dead letter of {id} is {letter:?}");
    Ok(())
}

async fn apart(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    for number in 0..4 {
        ports.queues.send(&queue, &json!(number), Duration::ZERO).await?;
    }
    let deadline = Instant::now() + subject.patience();
    let mut batch = Vec::new();
    while batch.len() < 4 {
        ensure!(Instant::now() < deadline, "{} of 4 messages came", batch.len());
        batch.extend(ports.queues.receive(&queue, 10, LONG, SECOND).await?);
    }
    let (failed, done): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|message| message.body == json!(2));
    for message in &done {
        ports.queues.delete(&queue, &message.receipt).await?;
    }
    for message in &failed {
        ports.queues.release(&queue, &message.receipt, Duration::ZERO).await?;
    }
    let again = next(&ports, &queue, LONG, subject.patience()).await?;
    ensure!(again.body == json!(2), "{} came again", again.body);
    none(&ports, &queue).await
}

async fn limits(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    let large = Value::String("x".repeat(MAX_MESSAGE));
    for (body, delay) in [(json!(1), MAX_DELAY + SECOND), (large, Duration::ZERO)] {
        let refused = ports.queues.send(&queue, &body, delay).await;
        ensure!(matches!(refused, Err(Error::Invalid(_))), "after {delay:?}: {refused:?}");
    }
    ports.queues.send(&queue, &Value::String("x".repeat(MAX_MESSAGE - 2)), Duration::ZERO).await?;
    ports.queues.send(&queue, &json!(2), MAX_DELAY).await?;
    Ok(())
}

async fn gone(subject: &mut dyn Subject) -> Outcome {
    let (ports, queue) = (subject.ports(), partition(&subject.ports()));
    ports.queues.send(&queue, &json!(1), Duration::ZERO).await?;
    let message = next(&ports, &queue, LONG, subject.patience()).await?;
    for _ in 0..2 {
        ports.queues.delete(&queue, &message.receipt).await?;
    }
    none(&ports, &queue).await
}
