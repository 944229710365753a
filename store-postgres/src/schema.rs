//! The tables, and the way from each version of them to the next.

use larder_core::{Error, Corruption};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient};

use crate::config::DatabaseLocation;
use crate::failure::Failure;

/// What makes schema version `n + 1` of version `n`, as `format` in the table `larder`.
///
/// Bytes of blobs are not compressed: they would be tried to be, for little. Keys are compared by their bytes.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE larder (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        format integer NOT NULL
    );
    INSERT INTO larder (format) VALUES (1);
    CREATE SEQUENCE revisions;
    CREATE TABLE records (
        key text COLLATE \"C\" PRIMARY KEY,
        revision bigint NOT NULL,
        value text NOT NULL
    );
    CREATE TABLE blobs (
        digest bytea PRIMARY KEY CHECK (length(digest) = 32),
        size bigint NOT NULL,
        bytes bytea
    );
    ALTER TABLE blobs ALTER bytes SET STORAGE EXTERNAL;
    CREATE TABLE pieces (
        digest bytea REFERENCES blobs ON DELETE CASCADE,
        at integer,
        bytes bytea NOT NULL,
        PRIMARY KEY (digest, at)
    );
    ALTER TABLE pieces ALTER bytes SET STORAGE EXTERNAL;
"];

/// The first half of the advisory lock under which tables are made: `Lard`.
const LOCK: i32 = 0x4c61_7264;

/// Makes sure that the schema is a larder that this Larder can use, or makes it one if there is nothing.
pub(crate) async fn check_or_create(client: &mut Client, place: &DatabaseLocation) -> Result<(), Failure> {
    let encoding: String = client.query_one("SHOW server_encoding", &[]).await?.get(0);
    if encoding != "UTF8" {
        let reason = format!("its encoding is {encoding}, and texts would change; it must be UTF8");
        return Err(refused(place, reason).into());
    }
    if judge(state(client, place).await?, place)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    // The others that open it at the same time wait here, and find it made.
    let lock = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
    transaction.execute(lock, &[&LOCK, &place.schema]).await?;
    let state = state(&transaction, place).await?;
    let made = judge(state, place)?;
    if !state.exists {
        transaction.batch_execute(&format!("CREATE SCHEMA \"{}\"", place.schema)).await?;
    }
    for migration in MIGRATIONS.iter().skip(made) {
        transaction.batch_execute(migration).await?;
    }
    let known = MIGRATIONS.len() as i32;
    transaction.execute("UPDATE larder SET format = $1 WHERE format < $1", &[&known]).await?;
    Ok(transaction.commit().await?)
}

/// Whether the schema holds anything.
pub(crate) async fn is_there(client: &Client, place: &DatabaseLocation) -> Result<bool, Failure> {
    Ok(state(client, place).await?.relations > 0)
}

/// What a schema says of itself.
#[derive(Clone, Copy)]
struct SchemaState {
    exists: bool,
    /// How many tables and the like it holds.
    relations: i64,
    format: Option<i32>,
}

async fn state(client: &impl GenericClient, place: &DatabaseLocation) -> Result<SchemaState, Failure> {
    let found = client
        .query_one(
            "SELECT \
                 (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1), \
                 (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
                  ON n.oid = c.relnamespace WHERE n.nspname = $1), \
                 (SELECT count(*) FROM pg_catalog.pg_attribute a \
                  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = $1 AND c.relname = 'larder' AND a.attname = 'format' \
                  AND a.atttypid = 'pg_catalog.int4'::regtype)",
            &[&place.schema],
        )
        .await?;
    let [exists, relations, marked] = [0, 1, 2].map(|column| found.get::<_, i64>(column));
    let mut state = SchemaState { exists: exists > 0, relations, format: None };
    if marked > 0 {
        let select = format!("SELECT format FROM \"{}\".larder", place.schema);
        match client.query_opt(&select, &[]).await {
            Ok(row) => state.format = row.map(|row| row.get(0)),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(state)
}

/// The version of the tables that are there; 0 if none are.
fn judge(state: SchemaState, place: &DatabaseLocation) -> Result<usize, Error> {
    match state {
        SchemaState { format: Some(format), .. } => match usize::try_from(format) {
            Ok(format) if format > MIGRATIONS.len() => Err(Error::NewerFormat {
                what: place.url.clone(),
                found: format as u64,
                known: MIGRATIONS.len() as u64,
            }),
            Ok(format) if format > 0 => Ok(format),
            _ => {
                let reason = format!("its table `larder` says that it has format {format}");
                Err(Error::corrupt(&*place.url, Corruption::Unreadable(reason)))
            }
        },
        SchemaState { relations: 0, .. } => Ok(0),
        _ => {
            let schema = &place.schema;
            let reason = format!(
                "its schema `{schema}` holds tables of something else; name another: `schema=NAME`"
            );
            Err(refused(place, reason))
        }
    }
}

fn refused(place: &DatabaseLocation, reason: String) -> Error {
    Error::Refused { action: format!("use {} as a larder", place.url), reason }
}
