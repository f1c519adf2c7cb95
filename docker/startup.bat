@echo off
rem Builds the images and starts a ring of five servers and three clients, then says what to do next.
rem
rem   docker\startup.bat        images on top of python:3.12-slim; set BASE for another image
rem
rem Needs Docker Desktop, or an engine with "docker compose" or "docker-compose".
setlocal enabledelayedexpansion
cd /d "%~dp0"
docker compose version >nul 2>&1
if errorlevel 1 (
    where docker-compose >nul 2>&1
    if errorlevel 1 (
        echo neither "docker compose" nor "docker-compose" is here; install one of them 1>&2
        exit /b 1
    )
    set COMPOSE=docker-compose
) else (
    set COMPOSE=docker compose
)
rem wheels of a base without a registry would not fit another Python
if not defined BASE if exist wheels rmdir /s /q wheels
%COMPOSE% --file compose.yaml --project-name p2pchat build || exit /b 1
%COMPOSE% --file compose.yaml --project-name p2pchat up --detach || exit /b 1
echo waiting for five servers
for /l %%i in (1,1,180) do (
    set READY=0
    for /f %%n in ('docker ps --filter "health=healthy" --filter "name=^server[1-5]$" --format "{{.Names}}"') do set /a READY+=1
    if !READY! geq 5 goto ready
    rem a second, also where there is no console to read from
    ping -n 2 127.0.0.1 >nul
)
echo only !READY! of 5 servers are ready; see: docker ps --all, docker logs server1 1>&2
exit /b 1
:ready
echo The ring stands. Now:
echo   docker exec -it client1 p2pchat            register somebody, and chat
echo   docker exec -it client2 p2pchat            the other one, in a second terminal
echo   docker exec -it server1 p2pchat ring view  watch the ring
echo   docker network disconnect p2pchat_servers server3                take a server away ...
echo   docker network connect --ip 10.74.1.99 p2pchat_servers server3   ... and give it back elsewhere
echo   %COMPOSE% -f docker\compose.yaml -p p2pchat down     stop; add -v to delete everything
