package wake

// engine is a way of giving the program its sockets while this process stays beside it: swapped in when it binds, or its
// clients relayed to it. Only the goroutine of Run calls its methods.
type engine interface {
	// start starts one instance. What goes wrong before the program runs is a NotStarted or a Refused.
	start() (*instance, error)

	// connections counts the connections that clients have to an instance. An engine may look for one only.
	connections(*instance) (int, error)

	// arrived tells whether a client connected since it was asked last, also one that has left again.
	arrived() bool

	// waiting tells whether clients wait that the kernel's queues do not show.
	waiting() bool

	// hold makes new clients wait in the kernel's queue, before a stop, and lets them in again. Where the program
	// accepts them itself it does nothing.
	hold(bool)

	// leave tells dispatchers, before the last stop, that no client is wanted any more: those that nobody has accepted are
	// left to others.
	leave()

	// rest brings the sockets back as they were inherited. It is called after an instance is gone and while none runs.
	rest()

	// describe says in one line how the program gets its sockets, and why so.
	describe() string

	// close ends the engine.
	close()
}
