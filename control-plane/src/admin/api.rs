//! The endpoints: each with its policy and its description, and no way to add one without.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use serde_json::Value;
use utoipa::ToSchema;

use super::policy::Policy;
use super::schema::Components;
use super::{Admin, repeat};

/// What everything but the description and the health stands below.
pub const BASE: &str = "/api/v1";

/// How an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes or replaces.
    Put,
    /// Does.
    Post,
    /// Takes away.
    Delete,
}

impl Verb {
    /// Its name in OpenAPI.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Put => "put",
            Verb::Post => "post",
            Verb::Delete => "delete",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Put => MethodFilter::PUT,
            Verb::Post => MethodFilter::POST,
            Verb::Delete => MethodFilter::DELETE,
        }
    }
}

/// One endpoint as it is described.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// How it is asked.
    pub verb: Verb,
    /// Its path; names in braces are parameters.
    pub path: String,
    /// Who may.
    pub policy: Policy,
    /// Its name for programs.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// Parameters of the query: name, schema, what it means.
    pub query: Vec<(&'static str, Value, &'static str)>,
    /// Parameters of the head: name, pattern if it must look like something, what it means.
    pub headers: Vec<(&'static str, &'static str, &'static str)>,
    /// The schema of the body.
    pub request: Option<Value>,
    /// Statuses of good answers, each with its schema.
    pub answers: Vec<(u16, Option<Value>)>,
    /// Statuses of Problems besides those that every endpoint may answer with.
    pub problems: Vec<u16>,
}

impl Endpoint {
    /// An endpoint that takes nothing and answers nothing yet.
    pub fn new(verb: Verb, path: &str, policy: Policy, name: &str, summary: &str) -> Endpoint {
        Endpoint {
            verb,
            path: format!("{BASE}{path}"),
            policy,
            name: name.to_string(),
            summary: summary.to_string(),
            query: Vec::new(),
            headers: Vec::new(),
            request: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// With a parameter of the query.
    pub fn query(mut self, name: &'static str, schema: Value, meaning: &'static str) -> Endpoint {
        self.query.push((name, schema, meaning));
        self
    }

    /// With a parameter of the head.
    pub fn header(mut self, name: &'static str, pattern: &'static str, meaning: &'static str) -> Endpoint {
        self.headers.push((name, pattern, meaning));
        self
    }

    /// With a body.
    pub fn takes(mut self, schema: Value) -> Endpoint {
        self.request = Some(schema);
        self
    }

    /// With a good answer.
    pub fn gives(mut self, status: u16, schema: Option<Value>) -> Endpoint {
        self.answers.push((status, schema));
        self
    }

    /// With statuses of Problems.
    pub fn refuses(mut self, statuses: &[u16]) -> Endpoint {
        self.problems.extend(statuses);
        self
    }
}

/// Adds one endpoint to the router.
type Mount = Box<dyn FnOnce(Router<Admin>, &Admin) -> Router<Admin>>;

/// All endpoints.
#[derive(Default)]
pub struct Api {
    /// As they are described.
    pub endpoints: Vec<Endpoint>,
    /// What their schemas refer to.
    pub components: Components,
    routes: Vec<Mount>,
}

impl Api {
    /// A reference to the schema of a type.
    pub fn schema<T: ToSchema>(&mut self) -> Value {
        self.components.of::<T>()
    }

    /// Adds an endpoint: its policy is asked before its handler, always.
    pub fn add<T: 'static>(&mut self, endpoint: Endpoint, handler: impl Handler<T, Admin>) {
        let (path, filter, policy) = (endpoint.path.clone(), endpoint.verb.filter(), endpoint.policy);
        let name: Arc<str> = endpoint.name.as_str().into();
        self.routes.push(Box::new(move |router, admin| {
            let admin = admin.clone();
            let guard = middleware::from_fn_with_state((admin, policy, name), guard);
            router.route(&path, on(filter, handler).layer(guard))
        }));
        self.endpoints.push(endpoint);
    }

    /// The router, with the description and the sign of life, which are open to everybody.
    pub fn router(self, admin: Admin, document: String) -> Router {
        let mut router = Router::new();
        for route in self.routes {
            router = route(router, &admin);
        }
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        router
            .route("/openapi.json", get(|| async move { (json, document) }))
            .route("/healthz", get(|| async { "ok\n" }))
            .with_state(admin)
    }
}

/// Who may, then whether it was answered before, then the handler.
async fn guard(
    State((admin, policy, name)): State<(Admin, Policy, Arc<str>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let answered = match policy.admit(&admin, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            repeat::once(&admin, &caller, request, next).await
        }
        Err(problem) => Err(problem),
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    admin.metrics.admin_request(&name, response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
