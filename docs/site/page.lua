-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- page.lua - pandoc filter: makes a Markdown page of the tree a page of the site
--
--   - links to NAME.md lead to NAME.html, README.md is index.html, other files get the suffix .txt
--     unless a browser shows them; SITE_FILES gets their names, so that they are copied;
--   - `conf-examples/NAME.conflist` is a link to the example;
--   - a link whose text is the name of a page gets the page's heading as text;
--   - tables scroll by themselves, so that a page is never wider than the screen;
--   - the first heading is the page's title.

local root = os.getenv("SITE_ROOT")
local folder = os.getenv("SITE_FOLDER")

local function copied(path)
	local list = assert(io.open(os.getenv("SITE_FILES"), "a"))

	list:write(folder, path, "\n")
	list:close()
end

local function site_path(target)
	local path, anchor = target:match("^([^#]*)(.*)$")

	if path == "" or path:match("^%a+:") then
		return target
	end
	if path:match("README%.md$") then
		return path:gsub("README%.md$", "index.html") .. anchor
	end
	if path:match("%.md$") then
		return path:gsub("%.md$", ".html") .. anchor
	end
	if path:match("/$") then
		return path .. "index.html" .. anchor
	end
	if path:match("%.html$") then
		return target
	end
	copied(path)
	if path:match("%.svg$") or path:match("%.png$") then
		return path
	end
	return path .. ".txt"
end

local function code(el)
	local name = el.text:match("^conf%-examples/([%w-]+)%.conflist$")

	local file = name and io.open(el.text)

	if file then
		file:close()
		return pandoc.Link(el, root .. "conf-examples/index.html#" .. name)
	end
end

-- The name of a page of the tree as the text of a link: here its heading says more.
local function heading(path)
	local file = io.open(path)

	for line in file and file:lines() or function() end do
		local text = line:match("^# (.*)")

		if text then
			file:close()
			return text
		end
	end
	return path
end

local function link(el)
	local path = el.target:match("^([^#:]+%.md)%f[#%z]")

	if path and pandoc.utils.stringify(el.content):match("%.md$") then
		el.content = { pandoc.Str(heading(folder .. path)) }
	end
	el.target = site_path(el.target)
	return el
end

local function image(el)
	el.src = site_path(el.src)
	return el
end

local function scroll(el)
	return pandoc.Div(el, { class = "table" })
end

local function title(doc)
	local first = doc.blocks[1]

	if first and first.t == "Header" and first.level == 1 then
		doc.meta.heading = pandoc.MetaInlines(first.content)
		doc.meta.anchor = first.identifier
		doc.blocks:remove(1)
	end
	return doc
end

return { { Link = link, Image = image, Table = scroll, Pandoc = title }, { Code = code } }
