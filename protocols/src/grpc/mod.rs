//! The Open Inference Protocol over gRPC, on the port of everything else.
//!
//! Where a request names no version, the name may be a whole reference: `house/price:prod`.

mod contents;
mod messages;

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use larder_access::Resource;
use larder_core::Reference;
use larder_core::store::Action;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use crate::inference::ports::Port;
use crate::inference::tensor::DataType;
use crate::inference::tensors::{Tensor as Input, invalid};
use crate::inference::{Metadata, predict, reference};
use larder_server::extend::predict::Target;
use larder_server::extend::{Context, Failure, Guard, Route, RouteSet, inventory, readiness};
use messages::{
    Contents, Empty, InferRequest, InferResponse, ModelMetadata, ModelRequest, ServerMetadata,
    Tensor, Yes,
};

fn routes() -> Vec<Route> {
    let any = Guard::any(Action::Predict);
    macro_rules! route {
        ($name:literal, $guard:expr, $run:expr) => {
            Route::new(
                Method::POST,
                concat!("/inference.GRPCInferenceService/", $name),
                $guard,
                |context, _, request| call(context, request, $run),
            )
            .refused_by(refused)
        };
    }
    vec![
        route!("ServerLive", Guard::Public, server_live),
        route!("ServerReady", Guard::Public, server_ready),
        route!("ServerMetadata", any, server_metadata),
        route!("ModelReady", any, model_ready),
        route!("ModelMetadata", any, model_metadata),
        route!("ModelInfer", any, infer),
    ]
}

/// Answers one call with what `run` returns.
async fn call<Req, Res, F, A>(
    context: Context,
    request: Request,
    run: F,
) -> Result<Response, Failure>
where
    Req: Message + Default + 'static,
    Res: Message + 'static,
    F: FnOnce(Context, Req) -> A + Send + 'static,
    A: Future<Output = Result<Res, Failure>> + Send + 'static,
{
    let limit = context.max_body();
    let mut grpc = Grpc::new(ProstCodec::<Res, Req>::default())
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX);
    let response = grpc.unary(Call(Some((context, run))), request).await;
    Ok(response.map(Body::new))
}

/// A call that can be made once.
struct Call<F>(Option<(Context, F)>);

impl<Req, Res, F, A> UnaryService<Req> for Call<F>
where
    F: FnOnce(Context, Req) -> A,
    A: Future<Output = Result<Res, Failure>> + Send + 'static,
{
    type Response = Res;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Res>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Req>) -> Self::Future {
        let Some((context, run)) = self.0.take() else {
            return Box::pin(async { Err(Status::internal("the call was made twice")) });
        };
        let request_id = Arc::clone(context.request_id());
        let answer = run(context, request.into_inner());
        Box::pin(async move {
            let answer = answer.await.map_err(|failure| {
                failure.log(&request_id);
                status(&failure)
            });
            answer.map(tonic::Response::new)
        })
    }
}

/// The answer to a request that was refused before it was read.
fn refused(failure: Failure, request_id: &str, _: &str) -> Response {
    failure.log(request_id);
    status(&failure).into_http()
}

/// The status of a failure, by the table of HTTP codes of gRPC's own gateway where it has one.
fn status(failure: &Failure) -> Status {
    let code = match failure.status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::GONE => Code::NotFound,
        StatusCode::CONFLICT => Code::FailedPrecondition,
        StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::NOT_IMPLEMENTED => Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        _ => Code::Internal,
    };
    Status::new(code, failure.message.clone())
}

async fn server_live(_: Context, _: Empty) -> Result<Yes, Failure> {
    Ok(Yes { yes: true })
}

async fn server_ready(context: Context, _: Empty) -> Result<Yes, Failure> {
    match readiness(&context).await {
        Ok(()) => Ok(Yes { yes: true }),
        Err(failure) if failure.status == StatusCode::SERVICE_UNAVAILABLE => Ok(Yes { yes: false }),
        Err(failure) => Err(failure),
    }
}

async fn server_metadata(_: Context, _: Empty) -> Result<ServerMetadata, Failure> {
    let (name, version) = ("larder".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Ok(ServerMetadata { name, version, extensions: Vec::new() })
}

async fn model_ready(context: Context, request: ModelRequest) -> Result<Yes, Failure> {
    find(&context, &request.name, &request.version).await.map(|_| Yes { yes: true })
}

async fn model_metadata(context: Context, request: ModelRequest) -> Result<ModelMetadata, Failure> {
    let (reference, target) = find(&context, &request.name, &request.version).await?;
    let metadata = Metadata::of(&context, &reference, &target).await?;
    let side = |ports: &[Port]| {
        let tensor = |port: &Port| Tensor {
            name: port.name.clone(),
            datatype: port.datatype().name().to_owned(),
            shape: port.shape.clone(),
            contents: None,
        };
        ports.iter().map(tensor).collect()
    };
    Ok(ModelMetadata {
        inputs: side(&metadata.ports.inputs),
        outputs: side(&metadata.ports.outputs),
        name: metadata.name,
        versions: vec![metadata.version],
        platform: metadata.platform,
    })
}

async fn infer(context: Context, request: InferRequest) -> Result<InferResponse, Failure> {
    let (reference, target) = find(&context, &request.model_name, &request.model_version).await?;
    let is_raw = !request.raw_input_contents.is_empty();
    if is_raw && request.raw_input_contents.len() != request.inputs.len() {
        return Err(invalid("there are not as many raw contents as inputs"));
    }
    let mut raw = request.raw_input_contents.into_iter();
    let inputs = request.inputs.iter().map(|input| read(input, raw.next()));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let wanted: Vec<&str> = request.outputs.iter().map(|output| output.name.as_str()).collect();
    let (version, outputs) = predict(&context, &target, &inputs, &wanted).await?;

    let mut answer = InferResponse {
        model_name: reference.identifier().to_string(),
        model_version: version,
        id: request.id,
        ..InferResponse::default()
    };
    // Answers have the form of the request, unless a type has no other than bytes.
    let is_raw = is_raw || outputs.iter().any(|it| Contents::of(it.datatype, &[]).is_none());
    for output in outputs {
        let mut bytes = Vec::new();
        output.write(&mut bytes)?;
        let contents = if is_raw { None } else { Contents::of(output.datatype, &bytes) };
        if is_raw {
            answer.raw_output_contents.push(bytes.into());
        }
        answer.outputs.push(Tensor {
            name: output.name,
            datatype: output.datatype.name().to_owned(),
            shape: output.shape.iter().map(|size| *size as i64).collect(),
            contents,
        });
    }
    Ok(answer)
}

/// Finds the model that a message names, if the caller may predict with it.
async fn find(
    context: &Context,
    name: &str,
    version: &str,
) -> Result<(Reference, Target), Failure> {
    let reference = if version.is_empty() { name.parse()? } else { reference(name, version)? };
    context.authorize(Action::Predict, &Resource::of(&reference))?;
    let target = Target::find(context, &reference.to_string()).await?;
    Ok((reference, target))
}

fn read(input: &Tensor, raw: Option<Bytes>) -> Result<Input, Failure> {
    let datatype = DataType::named(&input.datatype)
        .ok_or_else(|| invalid("an input has no type of the protocol"))?;
    let bytes = match (raw, &input.contents) {
        (Some(raw), None) => raw,
        (None, Some(contents)) => contents
            .bytes(datatype)
            .ok_or_else(|| invalid("the contents of an input are not of its type"))?
            .into(),
        // Proto 3 does not write a message without elements.
        (None, None) => Bytes::new(),
        (Some(_), Some(_)) => return Err(invalid("an input has raw contents and others")),
    };
    let shape = input.shape.iter().map(|size| usize::try_from(*size));
    let shape = shape.collect::<Result<_, _>>();
    let shape = shape.map_err(|_| invalid("the shape of an input has a negative size"))?;
    let elements = datatype.read(&bytes).map_err(invalid)?;
    Input::new(input.name.clone(), shape, elements)
}

inventory::submit!(RouteSet(routes));
