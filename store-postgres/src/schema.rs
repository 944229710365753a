//! The tables and their migrations.

use larder_store::Corruption;
use larder_store::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient};

use crate::config::DatabaseLocation;
use crate::failure::Failure;

/// Migrations from schema version `n` to `n + 1`. The version is the column `format` of the table `larder`.
///
/// Blobs are stored uncompressed, because compressing them gains little. Keys are compared by their bytes.
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

/// First half of the ID of the advisory lock for creating tables: `Lard`.
const LOCK: i32 = 0x4c61_7264;

/// Checks that the schema is a larder of a known format. Creates one if the schema is missing or empty.
pub(crate) async fn check_or_create(
    client: &mut Client,
    place: &DatabaseLocation,
) -> Result<(), Failure> {
    let encoding: String = client.query_one("SHOW server_encoding", &[]).await?.get(0);
    if encoding != "UTF8" {
        let reason = format!(
            "its encoding is {encoding}, which may change text; create it with the encoding UTF8"
        );
        return Err(refused(place, reason).into());
    }
    if judge(state(client, place).await?, place)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    // Concurrent openers wait here and then find the tables.
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

/// Returns whether the schema contains anything.
pub(crate) async fn is_there(client: &Client, place: &DatabaseLocation) -> Result<bool, Failure> {
    Ok(state(client, place).await?.relations > 0)
}

/// The state of a schema.
#[derive(Clone, Copy)]
struct SchemaState {
    exists: bool,
    /// Number of tables, indexes, sequences and views.
    relations: i64,
    format: Option<i32>,
}

async fn state(
    client: &impl GenericClient,
    place: &DatabaseLocation,
) -> Result<SchemaState, Failure> {
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

/// Returns the version of the tables, or 0 if the schema is empty.
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
                let reason = format!("its table `larder` has the invalid format {format}");
                Err(Error::corrupt(&*place.url, Corruption::Unreadable(reason)))
            }
        },
        SchemaState { relations: 0, .. } => Ok(0),
        _ => {
            let schema = &place.schema;
            let reason = format!(
                "its schema `{schema}` contains other tables; name another schema with `schema=NAME`"
            );
            Err(refused(place, reason))
        }
    }
}

fn refused(place: &DatabaseLocation, reason: String) -> Error {
    Error::Refused { action: format!("use {} as a larder", place.url), reason }
}
