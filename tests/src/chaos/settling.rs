//! Records brought to the control plane as the filters bring them: gRPC's `Settle`, some hundred at once.
//!
//! Why by hand: it is one message of one field each way, and the tests have HTTP/2 but no gRPC.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use dragoman_core::record::Record;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;

/// As many as the filters send at most.
const BATCH: usize = 512;

/// The path of the call.
const SETTLE: &str = "/dragoman.v1.DataPlane/Settle";

/// The key of field 1 with a length before it.
const FIELD: u8 = 0x0a;

/// Settles all of them, and holds the control plane to its word: each is acknowledged by its id.
pub fn settle(address: &str, records: &[Record]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = TcpStream::connect(address).await?;
        let (mut requests, connection) = h2::client::handshake(stream).await?;
        let driver = tokio::spawn(connection);
        for batch in records.chunks(BATCH) {
            requests = requests.ready().await?;
            let settled = call(&mut requests, address, batch).await?;
            let sent: Vec<&[u8]> = batch.iter().map(|record| record.exchange.as_bytes()).collect();
            if fields(&settled).context("the acknowledgement can't be read")? != sent {
                bail!("of {} Records not each is acknowledged", batch.len());
            }
        }
        driver.abort();
        Ok(())
    })
}

async fn call(requests: &mut SendRequest<Bytes>, address: &str, batch: &[Record]) -> anyhow::Result<Vec<u8>> {
    let head = Request::post(format!("http://{address}{SETTLE}"));
    let head = head.header("content-type", "application/grpc").header("te", "trailers").body(())?;
    let (answer, mut body) = requests.send_request(head, false)?;
    body.send_data(message(batch)?.into(), true)?;
    let (head, mut answer) = answer.await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.data().await {
        let chunk = chunk?;
        answer.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    let trailers = answer.trailers().await?.unwrap_or(head.headers);
    if trailers.get("grpc-status").is_none_or(|status| status != "0") {
        bail!("Settle failed: {trailers:?}");
    }
    Ok(bytes.split_off(5.min(bytes.len())))
}

/// The request with gRPC's five bytes before it: not compressed, and so long.
fn message(batch: &[Record]) -> anyhow::Result<Vec<u8>> {
    let mut fields = Vec::new();
    for record in batch {
        let document = record.write();
        fields.push(FIELD);
        let mut length = document.len();
        while length >= 0x80 {
            fields.push(u8::try_from(length & 0x7f)? | 0x80);
            length >>= 7;
        }
        fields.push(u8::try_from(length)?);
        fields.extend(document);
    }
    let mut message = vec![0];
    message.extend(u32::try_from(fields.len())?.to_be_bytes());
    message.extend(fields);
    Ok(message)
}

/// What the fields of a message hold that has field 1 only; `None` when it is something else.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while let Some((key, mut rest)) = bytes.split_first() {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (field, behind) = rest.split_at_checked(length).filter(|_| *key == FIELD)?;
        fields.push(field);
        bytes = behind;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_the_documents_in_order() {
        let record = |exchange: &str| Record { exchange: exchange.to_owned(), ..Record::default() };
        let batch = [record("a"), record(&"b".repeat(300))];
        let message = message(&batch).expect("a message");
        let length = u32::from_be_bytes(message[1..5].try_into().expect("four bytes"));
        assert_eq!((message[0], length as usize), (0, message.len() - 5));
        let documents: Vec<Vec<u8>> = batch.iter().map(Record::write).collect();
        assert_eq!(fields(&message[5..]), Some(documents.iter().map(Vec::as_slice).collect()));
        assert_eq!(fields(&message[5..message.len() - 1]), None);
    }
}
