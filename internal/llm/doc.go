// Package llm turns a question into a model's answer, over the HTTP protocol that model servers share with
// OpenAI's: Ollama, llama.cpp, llama-cpp-python, vLLM, LM Studio and whatever speaks it.
//
// Servers differ in what matters here and say so nowhere in one place, so a client finds out once and remembers:
// which way of holding an answer to a JSON schema has an effect (a question whose answer only the schema gives
// away), how long a prompt really is read (servers cut silently), how tokens are counted, and the digest of
// the weights.
//
// The package must not send a credential other than the key file it was given, follow a redirect to another
// host, use a proxy for loopback, try a request twice, or read an answer without a bound. It knows nothing of
// incidents and does not look into what it carries.
package llm
