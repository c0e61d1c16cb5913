//! `dcmp key`: the operator's part, keys of customers.

use anyhow::{Context, Result};
use clap::Subcommand;
use protocol::rest::admin::{Customer, Key, NewKey};

use crate::{
    client::{AdminConnection, Client},
    exit::Exit,
    output::{self, Align},
};

/// Makes API keys, lists and revokes them; needs the operator's key
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp key create --name laptop --scope devices
  dcmp key create --scope infer --scope models --expires-at 2030-01-01T00:00:00Z
  dcmp key list
  dcmp key revoke key_019aa5d3f0007cc3b5b0d5a3c2e1f004")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Makes a key; its secret is shown this once
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp key create --name laptop --scope devices
  DCMP_API_KEY=$(dcmp key create --json | jq -r .secret)")]
struct Create {
    /// The customer it stands for [default: the first]
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// What to call it
    #[arg(long)]
    name: Option<String>,
    /// What it opens: infer, train, models, projects, usage, devices; may be repeated [default: all]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// When it ends, such as 2030-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: AdminConnection,
}

/// Lists a customer's keys, without their secrets
#[derive(clap::Args)]
#[command(after_help = "Example:
  dcmp key list --json | jq -r '.keys[] | select(.name == \"laptop\") | .id'")]
struct List {
    /// Whose keys [default: the first customer's]
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// The API's JSON, all pages as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: AdminConnection,
}

/// Revokes a key; after ten seconds at most it opens nothing any more
#[derive(clap::Args)]
#[command(after_help = "Example:
  dcmp key revoke key_019aa5d3f0007cc3b5b0d5a3c2e1f004")]
struct Revoke {
    /// The key's id, not its secret
    key: String,
    /// A JSON document with the id that was revoked
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: AdminConnection,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Create(args) => create(args).await?,
        Command::List(args) => list(args).await?,
        Command::Revoke(args) => revoke(args).await?,
    }
    Ok(Exit::Done)
}

async fn create(args: Create) -> Result<()> {
    let client = args.connection.client()?;
    let customer = customer(&client, args.customer).await?;
    let scopes = (!args.scopes.is_empty()).then_some(args.scopes);
    let new = NewKey { name: args.name, scopes, expires_at: args.expires_at };
    let answer = client.post(&["admin", "customers", &customer, "keys"], &new, None).await?;
    if args.json {
        return output::print(&answer.text);
    }
    let key: Key = answer.read()?;
    let mut rows = vec![
        ("id", key.id.clone()),
        ("customer", key.customer_id.clone()),
        ("name", output::or_dash(key.name.as_deref())),
        ("scopes", key.scopes.join(", ")),
        ("expires", expiry(&key)),
    ];
    rows.extend(key.secret.map(|secret| ("secret", secret)));
    output::print(&output::fields(&rows))?;
    output::say("Keep the secret now: it is stored nowhere and never shown again.");
    Ok(())
}

async fn list(args: List) -> Result<()> {
    let client = args.connection.client()?;
    let customer = customer(&client, args.customer).await?;
    let listing =
        client.list::<Key>(&["admin", "customers", &customer, "keys"], "keys", None).await?;
    if args.json {
        return output::print(&listing.json()?);
    }
    let header = ["id", "name", "secret begins", "scopes", "made", "expires"];
    let row = |key: &Key| {
        vec![
            key.id.clone(),
            output::or_dash(key.name.as_deref()),
            output::or_dash(key.prefix.as_deref()),
            key.scopes.join(", "),
            key.created_at.clone(),
            expiry(key),
        ]
    };
    let rows: Vec<_> = listing.items()?.iter().map(row).collect();
    if rows.is_empty() {
        output::say(format_args!("{customer} has no keys; make one with `dcmp key create`."));
        return Ok(());
    }
    output::print(&output::table(&header.map(|title| (title, Align::Left)), &rows))
}

async fn revoke(args: Revoke) -> Result<()> {
    args.connection.client()?.delete(&["admin", "keys", &args.key]).await?;
    output::say(format_args!("revoked {}", args.key));
    if args.json {
        output::print(&serde_json::json!({ "revoked": args.key }).to_string())?;
    }
    Ok(())
}

/// The one that was named, else the first: on one's own machine there is only one.
async fn customer(client: &Client, given: Option<String>) -> Result<String> {
    if let Some(customer) = given {
        return Ok(customer);
    }
    let listing = client.list::<Customer>(&["admin", "customers"], "customers", None).await?;
    let customers = listing.items()?;
    let first = customers.first().context("the platform has no customers yet")?;
    if customers.len() > 1 {
        let others = output::count(customers.len() as u64 - 1, "other");
        output::say(format_args!(
            "Customer: {} ({}); there are {others}, to be chosen with --customer.",
            first.id, first.name
        ));
    }
    Ok(first.id.clone())
}

fn expiry(key: &Key) -> String {
    key.expires_at.clone().unwrap_or_else(|| "never".to_owned())
}
