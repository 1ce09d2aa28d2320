//go:build cgo

package extract

import (
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
)

// routesOf are the routes of a source as "METHOD path -> handler".
func routesOf(f *facts.File) []string {
	var out []string
	for _, s := range f.Sites {
		if s.Kind != facts.Route {
			continue
		}
		handler := s.Handler
		if s.HandlerFrom > 0 {
			handler = "in place"
		}
		out = append(out, strings.TrimSpace(s.Method+" "+s.Text)+" -> "+handler)
	}
	return out
}

func TestRegistrationsOfGoRouters(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"net/http", `mux := http.NewServeMux(); mux.HandleFunc("/a", h)`, "/a -> h"},
		{"method in the pattern", `mux.HandleFunc("POST /a/{id}", s.h)`, "POST /a/{id} -> s.h"},
		{"host in the pattern", `mux.HandleFunc("example.com/a", h)`, "/a -> h"},
		{"method and host", `mux.HandleFunc("GET example.com/a", h)`, "GET /a -> h"},
		{"default mux", `http.HandleFunc("/a", h)`, "/a -> h"},
		{"wrapped", `mux.Handle("/a", auth(http.HandlerFunc(h)))`, "/a -> h|http.HandlerFunc|auth"},
		{"literal", `mux.Handle("/a", &API{})`, "/a -> API.ServeHTTP"},
		{"literal with fields", `mux.Handle("/a", API{db: db})`, "/a -> API.ServeHTTP"},
		{"variable", `api := &API{}; mux.Handle("/a", api)`, "/a -> api|API.ServeHTTP"},
		{"in place", `mux.HandleFunc("/a", func(w http.ResponseWriter, r *http.Request) {})`, "/a -> in place"},
		{"constant", `const p = "/a"; mux.HandleFunc(p, h)`, "/a -> h"},
		{"joined constant", `const p = "/a"; mux.HandleFunc("GET "+p+"/{id}", h)`, "GET /a/{id} -> h"},
		{"chi", `r := chi.NewRouter(); r.Get("/a/{id}", h)`, "GET /a/{id} -> h"},
		{"chi method", `r.Method("PUT", "/a", h)`, "PUT /a -> h"},
		{"chi with", `r.With(mw).Delete("/a", h)`, "DELETE /a -> h"},
		{"chi route", `r.Route("/a", func(r chi.Router) { r.Get("/b", h) })`, "GET /a/b -> h"},
		{"chi nested", `r.Route("/a", func(r chi.Router) { r.Route("/b", func(r chi.Router) { r.Post("/c", h) }) })`, "POST /a/b/c -> h"},
		{"gin", `r := gin.New(); r.GET("/a/:id", mw, h)`, "GET /a/:id -> h"},
		{"gin group", `v := r.Group("/v1"); v.POST("/a", h)`, "POST /v1/a -> h"},
		{"gin group of group", `v := r.Group("/v1"); w := v.Group("/w"); w.POST("/a", h)`, "POST /v1/w/a -> h"},
		{"gin handle", `r.Handle("DELETE", "/a", h)`, "DELETE /a -> h"},
		{"gin any", `r.Any("/a", h)`, "/a -> h"},
		{"fiber", `app := fiber.New(); app.Get("/a/:id", h)`, "GET /a/:id -> h"},
		{"fiber all", `app.All("/a", h)`, "/a -> h"},
		{"httprouter", `router.HandlerFunc(http.MethodGet, "/a", h)`, "GET /a -> h"},
		{"gorilla", `r.HandleFunc("/a", h).Methods("PUT")`, "PUT /a -> h"},
		{"gorilla methods", `r.HandleFunc("/a", h).Methods("PUT", http.MethodPatch)`, "PUT,PATCH /a -> h"},
		{"gorilla named", `r.HandleFunc("/a", h).Name("a").Methods("PUT")`, "PUT /a -> h"},
		{"gorilla path first", `r.Path("/a").Methods("GET").HandlerFunc(h)`, "GET /a -> h"},
		{"gorilla methods first", `r.Methods("GET").Path("/a").Handler(h)`, "GET /a -> h"},
		{"gorilla subrouter", `s := r.PathPrefix("/s").Subrouter(); s.HandleFunc("/a", h)`, "/s/a -> h"},
		{"a client is no router", `client.Get("/a", opts)`, ""},
		{"a map is no router", `cache.Get("/a", v)`, ""},
		{"no path", `mux.HandleFunc(path(), h)`, "<*> -> h"},
	} {
		src := "package a\nfunc setup() {\n" + c.body + "\n}\n"
		if got := strings.Join(routesOf(extracted(t, "a.go", src)), "; "); got != c.want {
			t.Errorf("%s: %s\ngot  %q\nwant %q", c.name, c.body, got, c.want)
		}
	}
}

// What follows the handler of echo is middleware; what stands before the handler of gin is.
func TestMiddlewareIsNotTheHandler(t *testing.T) {
	echo := "package a\nimport \"github.com/labstack/echo/v4\"\nfunc f(e *echo.Echo) { e.GET(\"/a\", h, mw, other) }\n"
	gin := "package a\nimport \"github.com/gin-gonic/gin\"\nfunc f(e *gin.Engine) { e.GET(\"/a\", mw, other, h) }\n"
	for name, src := range map[string]string{"echo": echo, "gin": gin} {
		if got := routesOf(extracted(t, "a.go", src)); !slices.Equal(got, []string{"GET /a -> h"}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestRegistrationsInPython(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"flask", "@app.route('/a')\ndef h(): pass\n", "GET /a -> h"},
		{"flask methods", "@app.route('/a', methods=['PUT', 'POST'])\ndef h(): pass\n", "PUT,POST /a -> h"},
		{"flask short", "@bp.delete('/a/<int:id>')\ndef h(id): pass\n", "DELETE /a/<int:id> -> h"},
		{"flask blueprint", "bp = Blueprint('b', __name__, url_prefix='/p')\n@bp.route('/a')\ndef h(): pass\n", "GET /p/a -> h"},
		{"flask two", "@app.route('/a')\n@app.route('/b')\ndef h(): pass\n", "GET /a -> h; GET /b -> h"},
		{"flask rule", "app.add_url_rule('/a', 'a', view_func=h, methods=['POST'])\n", "POST /a -> h"},
		{"flask rule by position", "app.add_url_rule('/a', 'a', h)\n", "/a -> h"},
		{"fastapi", "@router.get('/a/{id}')\nasync def h(id): pass\n", "GET /a/{id} -> h"},
		{"fastapi prefix", "router = APIRouter(prefix='/p')\n@router.put('')\nasync def h(): pass\n", "PUT /p -> h"},
		{"fastapi methods", "@app.api_route('/a', methods=['GET', 'PUT'])\ndef h(): pass\n", "GET,PUT /a -> h"},
		{"fastapi keyword", "@app.post(path='/a')\ndef h(): pass\n", "POST /a -> h"},
		{"fastapi add", "app.add_api_route('/a', h, methods=['GET'])\n", "GET /a -> h"},
		{"aiohttp", "app.router.add_get('/a', h)\n", "GET /a -> h"},
		{"aiohttp route", "app.router.add_route('POST', '/a', h)\n", "POST /a -> h"},
		{"aiohttp table", "routes = web.RouteTableDef()\n@routes.patch('/a')\nasync def h(r): pass\n", "PATCH /a -> h"},
		{"django", "urlpatterns = [path('a/<int:pk>/', views.h, name='x')]\n", "/a/<int:pk>/ -> views.h"},
		{"django class", "urlpatterns = [path('a/', views.H.as_view())]\n", "/a/ -> views.H"},
		{"django regexp", "urlpatterns = [re_path(r'^a/(?P<y>[0-9]+)/$', views.h)]\n", "/a/(?P<y>[0-9]+)/$ -> views.h"},
		{"drf", "router.register(r'a', views.AViewSet)\n", "/a -> views.AViewSet"},
		{"class", "class A:\n  @app.get('/a')\n  def h(self): pass\n", "GET /a -> A.h"},
		{"constant", "P = '/a'\n@app.get(P)\ndef h(): pass\n", "GET /a -> h"},
		{"f-string", "P = '/a'\n@app.get(f'{P}/b')\ndef h(): pass\n", "GET /a/b -> h"},
		{"a test's client calls", "client.get('/a', headers=h)\n", ""},
		{"environment", "os.environ.get('/A', default)\n", ""},
		{"bare decorator", "@get\ndef h(): pass\n", ""},
		{"cache", "@cache.memoize('/a')\ndef h(): pass\n", ""},
	} {
		if got := strings.Join(routesOf(extracted(t, "a.py", c.src)), "; "); got != c.want {
			t.Errorf("%s: %s\ngot  %q\nwant %q", c.name, c.src, got, c.want)
		}
	}
}

func TestRegistrationsInScripts(t *testing.T) {
	for _, c := range []struct{ name, file, src, want string }{
		{"express", "a.js", "app.get('/a/:id', h)", "GET /a/:id -> h"},
		{"express middleware", "a.js", "app.post('/a', auth, json(), h)", "POST /a -> h"},
		{"express array", "a.js", "app.post('/a', [auth, h])", "POST /a -> h"},
		{"express in place", "a.js", "app.delete('/a', (req, res) => {})", "DELETE /a -> in place"},
		{"express wrapped", "a.js", "app.put('/a', wrap(async (req, res) => {}))", "PUT /a -> in place"},
		{"express bound", "a.js", "router.get('/a', c.h.bind(c))", "GET /a -> c.h"},
		{"express route", "a.js", "router.route('/a').get(h).put(k)", "PUT /a -> k; GET /a -> h"},
		{"express template", "a.js", "const V = '/v1'; app.get(`${V}/a`, h)", "GET /v1/a -> h"},
		{"express all", "a.js", "app.all('*', h)", "* -> h"},
		{"koa", "a.js", "const router = new Router({ prefix: '/p' }); router.get('/a', h)", "GET /p/a -> h"},
		{"fastify", "a.js", "fastify.get('/a', { schema: {} }, h)", "GET /a -> h"},
		{"fastify object", "a.js", "fastify.route({ method: 'PUT', url: '/a', handler: h })", "PUT /a -> h"},
		{"fastify methods", "a.js", "fastify.route({ method: ['PUT', 'POST'], url: '/a', handler: h })", "PUT,POST /a -> h"},
		{"hapi", "a.js", "server.route({ method: 'GET', path: '/a', handler: h })", "GET /a -> h"},
		{"nest", "a.ts", "@Controller('p') class C { @Get(':id') h() {} }", "GET /p/:id -> C.h"},
		{"nest bare", "a.ts", "@Controller() class C { @Post() h() {} }", "POST / -> C.h"},
		{"nest object", "a.ts", "@Controller({ path: 'p', version: '1' }) class C { @Put('x') h() {} }", "PUT /p/x -> C.h"},
		{"nest array", "a.ts", "@Controller('p') class C { @Get(['x', 'y']) h() {} }", "GET /p/x -> C.h"},
		{"as", "a.ts", "app.get('/a', h as RequestHandler)", "GET /a -> h"},
		{"setting", "a.js", "app.get('view engine')", ""},
		{"axios", "a.js", "axios.get('/a', config)", ""},
		{"map", "a.js", "map.get('/a', fallback)", ""},
	} {
		if got := strings.Join(routesOf(extracted(t, c.file, c.src)), "; "); got != c.want {
			t.Errorf("%s: %s\ngot  %q\nwant %q", c.name, c.src, got, c.want)
		}
	}
}

func TestRegistrationsInJava(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"get", `@RestController class C { @GetMapping("/a") void h() {} }`, "GET /a -> C.h"},
		{"prefix", `@RestController @RequestMapping("/p") class C { @PostMapping("a") void h() {} }`, "POST /p/a -> C.h"},
		{"no path", `@RequestMapping("/p") class C { @PutMapping void h() {} }`, "PUT /p -> C.h"},
		{"value", `class C { @DeleteMapping(value = "/a") void h() {} }`, "DELETE /a -> C.h"},
		{"array", `class C { @PatchMapping(path = {"/a", "/b"}) void h() {} }`, "PATCH /a -> C.h"},
		{"request mapping", `class C { @RequestMapping(value = "/a", method = RequestMethod.PUT) void h() {} }`, "PUT /a -> C.h"},
		{"any method", `class C { @RequestMapping("/a") void h() {} }`, "/a -> C.h"},
		{"constant", `class C { static final String P = "/p"; @GetMapping(P + "/a") void h() {} }`, "GET /p/a -> C.h"},
		{"jax-rs", `@Path("p") class C { @GET @Path("{id}") void h() {} }`, "GET /p/{id} -> C.h"},
		{"jax-rs reversed", `@Path("/p") class C { @Path("/{id}") @DELETE void h() {} }`, "DELETE /p/{id} -> C.h"},
		{"jax-rs class only", `@Path("/p") class C { @POST void h() {} }`, "POST /p -> C.h"},
		{"micronaut", `@Controller("/p") class C { @Get("/a") void h() {} }`, "GET /p/a -> C.h"},
		{"inner", `class O { @RestController @RequestMapping("/p") static class C { @GetMapping("/a") void h() {} } }`, "GET /p/a -> O.C.h"},
		{"interface", `@RequestMapping("/p") interface C { @GetMapping("/a") void h(); }`, "GET /p/a -> C.h"},
		{"feign is a call", `@FeignClient("b") interface C { @GetMapping("/a") void h(); }`, ""},
		{"override is none", `class C { @Override void h() {} }`, ""},
	} {
		if got := strings.Join(routesOf(extracted(t, "C.java", c.src)), "; "); got != c.want {
			t.Errorf("%s: %s\ngot  %q\nwant %q", c.name, c.src, got, c.want)
		}
	}
}

func TestMountsNameTheRouterAndThePrefix(t *testing.T) {
	for _, c := range []struct{ file, src, want string }{
		{"a.go", "package a\nfunc f() { r.Mount(\"/p\", admin.Router()) }\n", "/p admin.Router"},
		{"a.go", "package a\nfunc f() { r.Route(\"/o\", func(r chi.Router) { r.Mount(\"/p\", sub) }) }\n", "/o/p sub"},
		{"a.js", "app.use('/p', auth, orders)", "/p orders"},
		{"a.js", "app.use(express.json())", ""},
		{"a.js", "fastify.register(plugin, { prefix: '/p' })", "/p plugin"},
		{"a.py", "app.include_router(items.router, prefix='/p')\n", "/p items.router"},
		{"a.py", "app.register_blueprint(bp, url_prefix='/p')\n", "/p bp"},
		{"a.py", "urlpatterns = [path('p/', include('polls.urls'))]\n", "/p/ polls.urls"},
	} {
		var got []string
		for _, s := range extracted(t, c.file, c.src).Sites {
			if s.Kind == facts.Mount {
				got = append(got, s.Text+" "+s.Handler)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s\ngot %q, want %q", c.src, got, c.want)
		}
	}
}
