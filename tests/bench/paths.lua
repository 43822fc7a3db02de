-- wrk asks for the paths of a list, one after another, and begins again at its end.
local requests = {}
local last = 0

function init(args)
	for path in io.lines("@LIST@") do
		requests[#requests + 1] = wrk.format("GET", path)
	end
end

function request()
	last = last % #requests + 1
	return requests[last]
end
